package observe

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/aside-project/aside/internal/assist"
)

// Tracer records what happened to a customer's turn, once it has happened. A
// trace is a turn with its suggestions and the reply. Its id is made of the
// conversation and the turn's seq, so that every process adds to the same trace
// without telling the others, also one that takes a suggestion over. A nil Tracer
// records nothing.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer

	mu    sync.Mutex
	turns map[string]turnKey // suggestion → the turn it answers; bounded
	order []string
}

type turnKey struct {
	conversation string
	seq          int64
}

// remembered is how many suggestions a reply may come from and be put beside. A
// reply to an older one, or to another process's, has a trace of its own.
const remembered = 4096

// TracesWanted reports whether the environment names a collector, as
// OpenTelemetry says.
func TracesWanted(env func(string) string) bool {
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") || strings.EqualFold(env("OTEL_TRACES_EXPORTER"), "none") {
		return false
	}
	return env("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// NewTracer sends spans by OTLP over HTTP to where the OTEL_* variables of the
// process say. Stop it.
func NewTracer(ctx context.Context, log *slog.Logger) (*Tracer, error) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := os.Getenv(name); p != "" && p != "http/protobuf" {
			return nil, assist.Errorf(assist.Invalid, "%s is %q: Aside sends http/protobuf (collectors take it on port 4318)", name, p)
		}
	}
	sampler, err := samplerOf(os.Getenv("OTEL_TRACES_SAMPLER"), os.Getenv("OTEL_TRACES_SAMPLER_ARG"))
	if err != nil {
		return nil, err
	}
	out, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, assist.Wrap(err, assist.Invalid, "traces cannot be sent: check the OTEL_EXPORTER_OTLP_* variables")
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "aside")), resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, assist.Wrap(err, assist.Invalid, "OTEL_RESOURCE_ATTRIBUTES cannot be read: write it like deployment.environment=production,team=support")
	}
	return newTracer(sdk.NewTracerProvider(sdk.WithSampler(sampler), sdk.WithIDGenerator(ids{}), sdk.WithResource(about),
		sdk.WithBatcher(&logged{SpanExporter: out, log: log}))), nil
}

func newTracer(p *sdk.TracerProvider) *Tracer {
	return &Tracer{provider: p, tracer: p.Tracer("github.com/aside-project/aside"), turns: map[string]turnKey{}}
}

// samplerOf decides by the trace's id alone: then all processes decide alike.
func samplerOf(name, arg string) (sdk.Sampler, error) {
	switch strings.TrimPrefix(name, "parentbased_") {
	case "", "always_on":
		return sdk.AlwaysSample(), nil
	case "always_off":
		return sdk.NeverSample(), nil
	case "traceidratio":
		share, err := strconv.ParseFloat(arg, 64)
		if err != nil || share < 0 || share > 1 {
			return nil, assist.Errorf(assist.Invalid, "OTEL_TRACES_SAMPLER_ARG is %q: it must be a number from 0 to 1", arg)
		}
		return sdk.TraceIDRatioBased(share), nil
	}
	return nil, assist.Errorf(assist.Invalid, "OTEL_TRACES_SAMPLER is %q: it must be always_on, always_off or traceidratio", name)
}

// logged says in the log, not on standard error, that spans were lost.
type logged struct {
	sdk.SpanExporter
	log    *slog.Logger
	failed bool
}

// ExportSpans implements sdk.SpanExporter; the batcher calls it one at a time.
func (l *logged) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := l.SpanExporter.ExportSpans(ctx, spans)
	if err != nil && !l.failed {
		l.log.Warn("traces could not be sent and are lost until the collector is back", "spans", len(spans), "error", err)
	}
	l.failed = err != nil
	return nil
}

// Stop sends what waits, as long as ctx allows.
func (t *Tracer) Stop(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// Turn records that a turn was stored and told everybody, which began at began.
// One of the customer's is the root of its trace.
func (t *Tracer) Turn(conversation string, turn assist.Turn, repeat bool, began time.Time, err error) {
	if t == nil {
		return
	}
	at := place{turn: turnKey{conversation, turn.Seq}}
	at.span = at.root()
	if err != nil || repeat {
		at = place{turn: turnKey{conversation, began.UnixNano()}} // a trace of its own
		at.span = at.root()
	}
	t.record(at, "turn", began, time.Now(), err, attribute.String("aside.conversation", trusted(conversation, err)), attribute.Int64("aside.seq", turn.Seq),
		attribute.String("aside.role", string(turn.Role)), attribute.Bool("aside.repeat", repeat))
}

// Suggestion records a suggestion that began at began, with its phases, below its
// turn.
func (t *Tracer) Suggestion(s assist.Suggestion, began time.Time) {
	if t == nil {
		return
	}
	of := turnKey{s.Conversation, s.ForSeq}
	t.remember(s.ID, of)
	root := place{turn: of}
	at := place{turn: of, parent: root.root(), span: spanID("suggestion", s.ID)}
	var err error
	if s.State == assist.SuggestionFailed {
		err = errFailed
	}
	t.record(at, "suggestion", began, time.Now(), err,
		attribute.String("aside.conversation", s.Conversation), attribute.Int64("aside.for_seq", s.ForSeq), attribute.String("aside.suggestion", s.ID),
		attribute.String("aside.state", string(s.State)), attribute.String("aside.standing", string(s.Standing)), attribute.Int("aside.passages", len(s.Hits)),
		attribute.Int("aside.verdicts", len(s.Verdicts)), attribute.Bool("aside.quiet", s.Question.Quiet != ""), attribute.Int64("aside.superseded_by", s.SupersededBy))
	after := func(ms float64) time.Time { return began.Add(time.Duration(ms * float64(time.Millisecond))) }
	phase := func(name string, from, to float64, attrs ...attribute.KeyValue) {
		if to > 0 && to >= from {
			t.record(place{turn: of, parent: at.span, span: spanID(name, s.ID)}, name, after(from), after(to), nil, attrs...)
		}
	}
	d := s.Timings
	phase("passages", 0, d.Passages)
	phase("instant", d.Passages, d.Instant)
	if d.FirstToken > 0 {
		phase("model", d.Passages, d.Ready, attribute.String("aside.model", s.Model), attribute.Float64("aside.first_token_ms", d.FirstToken),
			attribute.Int("aside.tokens.prompt", s.Usage.Prompt), attribute.Int("aside.tokens.completion", s.Usage.Completion))
	}
}

// Reply records that an agent's reply was stored and told everybody, below the
// suggestion it came from.
func (t *Tracer) Reply(conversation string, turn assist.Turn, repeat bool, began time.Time, err error) {
	if t == nil {
		return
	}
	t.mu.Lock()
	of, known := t.turns[turn.SuggestionID]
	t.mu.Unlock()
	at := place{turn: of, parent: spanID("suggestion", turn.SuggestionID), span: spanID("reply", conversation, strconv.FormatInt(turn.Seq, 10))}
	if !known || err != nil || repeat || of.conversation != conversation {
		at = place{turn: turnKey{conversation, began.UnixNano()}}
		at.span = at.root()
	}
	t.record(at, "reply", began, time.Now(), err, attribute.String("aside.conversation", trusted(conversation, err)), attribute.Int64("aside.seq", turn.Seq),
		attribute.String("aside.suggestion", turn.SuggestionID), attribute.Bool("aside.repeat", repeat))
}

// errFailed marks a span; its words are not the suggestion's.
var errFailed = assist.Errorf(assist.Unavailable, "failed")

// trusted leaves out the id of what was refused: it is whatever somebody sent.
func trusted(conversation string, err error) string {
	switch assist.CodeOf(err) {
	case "", assist.Unavailable, assist.Internal:
		return conversation
	}
	return ""
}

func (t *Tracer) remember(suggestion string, of turnKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.turns[suggestion]; known {
		return
	}
	if len(t.order) >= remembered {
		delete(t.turns, t.order[0])
		t.order = t.order[1:]
	}
	t.turns[suggestion] = of
	t.order = append(t.order, suggestion)
}

func (t *Tracer) record(at place, name string, began, ended time.Time, err error, attrs ...attribute.KeyValue) {
	ctx := at.context()
	_, span := t.tracer.Start(ctx, name, trace.WithTimestamp(began), trace.WithAttributes(attrs...))
	if err != nil {
		span.SetStatus(otelcodes.Error, string(assist.CodeOf(err))) // the words may be a customer's
	}
	span.End(trace.WithTimestamp(ended))
}

// place is where a span goes.
type place struct {
	turn   turnKey
	parent trace.SpanID // zero: none
	span   trace.SpanID
}

func (p place) trace() (id trace.TraceID) {
	sum := p.turn.sum()
	copy(id[:], sum[:])
	return id
}

func (p place) root() (id trace.SpanID) {
	sum := p.turn.sum()
	copy(id[:], sum[16:])
	return id
}

func (k turnKey) sum() [sha256.Size]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("turn\x00"+k.conversation), uint64(k.seq)))
}

func spanID(parts ...string) (id trace.SpanID) {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	copy(id[:], sum[:])
	return id
}

// placeKey carries a place to ids through the library, which takes ids no other way.
type placeKey struct{}

func (p place) context() context.Context {
	ctx := context.WithValue(context.Background(), placeKey{}, p)
	if p.parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: p.trace(), SpanID: p.parent, TraceFlags: trace.FlagsSampled, Remote: true,
		}))
	}
	return ctx
}

// ids gives spans the ids of their places.
type ids struct{}

// NewIDs implements sdk.IDGenerator.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	p, _ := ctx.Value(placeKey{}).(place)
	return p.trace(), p.span
}

// NewSpanID implements sdk.IDGenerator.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	p, _ := ctx.Value(placeKey{}).(place)
	return p.span
}
