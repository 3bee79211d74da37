package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everything calls every method with v wherever a word goes.
func everything(m *Metrics, v string) {
	m.Event(assist.EventType(v))
	m.Turn(assist.Role(v), false)
	m.Turn(assist.Role(v), true)
	m.Wrote(v, time.Millisecond, nil)
	m.Wrote(v, time.Millisecond, assist.Errorf(assist.Code(v), "%s", v))
	m.Suggestion(assist.Suggestion{ID: v, Conversation: v, State: assist.SuggestionState(v), Reason: v, Model: v,
		Verdicts: []assist.Verdict{{Check: v, Outcome: assist.Outcome(v), Words: v, Reason: v}}, Timings: assist.Timings{Passages: 1, Instant: 2, FirstToken: 3, Ready: 4}})
	m.Suggestion(assist.Suggestion{Question: assist.Question{Quiet: v}})
	m.Outcome(assist.SuggestionState(v))
	m.Feedback(v)
	m.Gap()
	m.Learned(v)
	m.Answered(true)
	m.Answered(false)
	m.HandedOver(assist.HandoffCode(v))
	m.Shed(v)
	m.SocketClosed(assist.Actor(v), len(v))
	m.SocketClosed(assist.Actor(v), 0)
	_, _ = m.Model(v, priced{errors.New(v)}).Chat(context.Background(), llm.Request{}, func(string) {})
	_, _ = m.Embedder(brokenEmbedder(v)).Embed(context.Background(), []string{v})
}

type brokenEmbedder string

func (e brokenEmbedder) Name() string { return string(e) }
func (e brokenEmbedder) Embed(context.Context, []string) ([][]float32, error) {
	return nil, errors.New(string(e))
}

// TestLabelsAreBounded holds that no number of ids or texts makes more series,
// and that none becomes a label.
func TestLabelsAreBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg, Price{})
	series := func() (n int, all string) {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if strings.HasPrefix(f.GetName(), "aside_") {
				n += len(f.Metric)
				all += f.String()
			}
		}
		return n, all
	}
	everything(m, "canary-0")
	before, _ := series()
	for i := range 1000 {
		everything(m, fmt.Sprintf("canary-%d", i+1))
	}
	after, all := series()
	if after != before {
		t.Errorf("a thousand ids made %d series of %d", after, before)
	}
	if strings.Contains(all, "canary") {
		t.Error("a text became a label")
	}
}

func TestCounts(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg, Price{Prompt: 2, Completion: 10})
	m.Wrote(OpAddTurn, time.Millisecond, assist.Errorf(assist.Unavailable, "busy"))
	m.SocketClosed(assist.ActorCustomer, 4002)
	m.Suggestion(assist.Suggestion{State: assist.SuggestionReady, Verdicts: []assist.Verdict{{Check: "links", Outcome: assist.Block}}})
	ctx, cancel := context.WithCancel(t.Context())
	_, _ = m.Model(ForBot, priced{}).Chat(ctx, llm.Request{}, func(string) {})
	cancel()
	_, _ = m.Model(ForBot, priced{llm.ErrDown}).Chat(ctx, llm.Request{}, func(string) {})
	_, _ = m.Model(ForAgent, priced{fmt.Errorf("x: %w", llm.ErrCut)}).Chat(t.Context(), llm.Request{}, func(string) {})
	want := map[string]float64{
		`aside_store_errors_total code="unavailable" op="add_turn"`:   1,
		`aside_socket_closes_total code="4002" role="customer"`:       1,
		`aside_suggestions_total state="ready"`:                       1,
		`aside_verdicts_total check="links" outcome="block"`:          1,
		`aside_model_calls_total for="bot" result="ok"`:               1,
		`aside_model_calls_total for="bot" result="cancelled"`:        1,
		`aside_model_calls_total for="agent" result="cut"`:            1,
		`aside_model_cost_dollars_total for="bot"`:                    (3*2 + 5*10) / 1e6 * 2,
		`aside_model_tokens_total direction="completion" for="agent"`: 5,
	}
	got := map[string]float64{}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, s := range f.Metric {
			name := f.GetName()
			for _, l := range s.Label {
				name += fmt.Sprintf(" %s=%q", l.GetName(), l.GetValue())
			}
			if _, asked := want[name]; asked {
				got[name] = s.GetCounter().GetValue()
			}
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

type priced struct{ err error }

func (priced) Name() string { return "priced" }
func (p priced) Chat(context.Context, llm.Request, func(string)) (llm.Response, error) {
	return llm.Response{Prompt: 3, Completion: 5}, p.err
}

// TestDashboard holds that each panel asks for metrics that exist and says what
// to do when it is bad.
func TestDashboard(t *testing.T) {
	body, err := os.ReadFile("../../deploy/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Type, Title, Description string
			Targets                  []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(body, &board); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	NewMetrics(reg, Price{}).Read(Sources{})
	known := map[string]bool{}
	out := make(chan *prometheus.Desc, 1000)
	reg.Describe(out)
	close(out)
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	for d := range out {
		n := name.FindStringSubmatch(d.String())[1]
		known[n] = true
	}
	used := map[string]bool{}
	metric := regexp.MustCompile(`\b(aside|go|process)_[a-z_]+`)
	for _, p := range board.Panels {
		if p.Type == "row" {
			continue
		}
		if !strings.Contains(p.Description, "When") || !strings.HasSuffix(p.Description, ".") {
			t.Errorf("%q does not say what to do when it is bad: %q", p.Title, p.Description)
		}
		if len(p.Targets) == 0 {
			t.Errorf("%q shows nothing", p.Title)
		}
		for _, q := range p.Targets {
			for _, m := range metric.FindAllString(q.Expr, -1) {
				m = strings.TrimSuffix(m, "_bucket")
				if base := strings.TrimSuffix(strings.TrimSuffix(m, "_count"), "_sum"); known[base] {
					m = base
				}
				used[m] = true
				if !known[m] {
					t.Errorf("%q asks for %s, which there is not", p.Title, m)
				}
			}
		}
	}
	for n := range known {
		if strings.HasPrefix(n, "aside_") && !used[n] {
			t.Errorf("no panel shows %s", n)
		}
	}
}

// TestTrace holds that a turn, its suggestion and the reply are one trace, made
// by different processes, and that no text is in it.
func TestTrace(t *testing.T) {
	kept := tracetest.NewInMemoryExporter()
	process := func() *Tracer {
		return newTracer(sdk.NewTracerProvider(sdk.WithSampler(sdk.AlwaysSample()), sdk.WithIDGenerator(ids{}), sdk.WithSyncer(kept)))
	}
	one, two := process(), process()
	const canary = "my zipper broke"
	began := time.Now()
	one.Turn("conv_1", assist.Turn{Seq: 7, Role: assist.RoleCustomer, Text: canary, Author: canary}, false, began, nil)
	two.Suggestion(assist.Suggestion{ID: "sug_1", Conversation: "conv_1", ForSeq: 7, State: assist.SuggestionReady, Reason: canary, Instruction: canary,
		Model: "m", Question: assist.Question{Text: canary}, Draft: &assist.Draft{Text: canary}, Timings: assist.Timings{Passages: 2, Instant: 4, FirstToken: 8, Ready: 20}}, began)
	two.Reply("conv_1", assist.Turn{Seq: 9, Role: assist.RoleAgent, Text: canary, SuggestionID: "sug_1"}, false, began, nil)
	one.Reply("conv_1", assist.Turn{}, false, began, assist.Errorf(assist.Conflict, canary))

	var names []string
	spans := kept.GetSpans()
	parent := map[string]string{}
	for _, s := range spans {
		if strings.Contains(fmt.Sprintf("%+v", s), canary) {
			t.Errorf("span %s holds text: %+v", s.Name, s)
		}
		if s.SpanContext.TraceID() == spans[0].SpanContext.TraceID() {
			names = append(names, s.Name)
			for _, p := range spans {
				if p.SpanContext.SpanID() == s.Parent.SpanID() {
					parent[s.Name] = p.Name
				}
			}
		}
	}
	if d := cmp.Diff([]string{"turn", "passages", "instant", "model", "suggestion", "reply"}, names, cmp.Transformer("set", func(s []string) map[string]bool {
		set := map[string]bool{}
		for _, v := range s {
			set[v] = true
		}
		return set
	})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"suggestion": "turn", "passages": "suggestion", "instant": "suggestion", "model": "suggestion", "reply": "suggestion"}, parent); d != "" {
		t.Error(d)
	}
	var none *Tracer
	none.Turn("c", assist.Turn{}, false, began, nil)
	none.Suggestion(assist.Suggestion{}, began)
	none.Reply("c", assist.Turn{}, false, began, nil)
	if err := errors.Join(none.Stop(t.Context()), one.Stop(t.Context()), two.Stop(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestTracerForgets holds that what replies are put beside is bounded.
func TestTracerForgets(t *testing.T) {
	tr := newTracer(sdk.NewTracerProvider())
	for i := range 2 * remembered {
		tr.remember(fmt.Sprint(i), turnKey{})
	}
	if len(tr.turns) != remembered || len(tr.order) != remembered {
		t.Errorf("%d and %d are remembered", len(tr.turns), len(tr.order))
	}
}

func TestSampler(t *testing.T) {
	for _, tt := range []struct{ name, arg, want string }{
		{"", "", "AlwaysOnSampler"},
		{"parentbased_always_on", "", "AlwaysOnSampler"},
		{"always_off", "", "AlwaysOffSampler"},
		{"parentbased_traceidratio", "0.25", "TraceIDRatioBased{0.25}"},
		{"traceidratio", "25%", ""},
		{"jaeger_remote", "", ""},
	} {
		s, err := samplerOf(tt.name, tt.arg)
		if got := ""; err == nil {
			got = s.Description()
			if got != tt.want {
				t.Errorf("%s %s: %s, want %s", tt.name, tt.arg, got, tt.want)
			}
		} else if tt.want != "" {
			t.Errorf("%s %s: %v", tt.name, tt.arg, err)
		}
	}
}

func TestTracesWanted(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, false},
	} {
		if got := TracesWanted(func(k string) string { return tt.env[k] }); got != tt.want {
			t.Errorf("%v: %v", tt.env, got)
		}
	}
}

func TestParsePrice(t *testing.T) {
	if p, err := ParsePrice("0.15, 0.60"); err != nil || p != (Price{0.15, 0.6}) {
		t.Error(p, err)
	}
	for _, s := range []string{"", "1", "1,2,3", "-1,2", "NaN,1", "x,1", "1,Inf"} {
		if p, err := ParsePrice(s); err == nil {
			t.Errorf("%q: %v", s, p)
		}
	}
}

func BenchmarkNoTracer(b *testing.B) {
	var none *Tracer
	turn := assist.Turn{Seq: 7}
	now := time.Now()
	for b.Loop() {
		none.Turn("c", turn, false, now, nil)
	}
}
