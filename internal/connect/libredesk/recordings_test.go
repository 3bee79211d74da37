package libredesk

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/testkit"
	"github.com/aside-project/aside/internal/testkit/memstore"
)

// recordedSecret signed the recordings.
const recordedSecret = "rig-webhook-secret"

// recording is one delivery of a real Libredesk.
type recording struct {
	file      string
	body      []byte
	signature string
}

func recordings(t testing.TB) []recording {
	t.Helper()
	dir := filepath.Join(testkit.Dir(t), "libredesk")
	files, err := filepath.Glob(filepath.Join(dir, "[0-9]*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []recording
	for _, f := range files {
		if strings.HasSuffix(f, ".headers.json") {
			continue
		}
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var h struct{ Headers http.Header }
		readJSON(t, strings.TrimSuffix(f, ".json")+".headers.json", &h)
		out = append(out, recording{filepath.Base(f), body, h.Headers.Get("X-Libredesk-Signature")})
	}
	if len(out) == 0 {
		t.Skip("no recordings of Libredesk in the development data")
	}
	return out
}

func readJSON(t testing.TB, file string, into any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestRecordedSignatures: every delivery is verified, and refused as soon as a bit
// of it or of the secret is another.
func TestRecordedSignatures(t *testing.T) {
	for _, r := range recordings(t) {
		if err := verify(recordedSecret, r.signature, r.body); err != nil {
			t.Errorf("%s: %v", r.file, err)
		}
		changed := slices.Clone(r.body)
		changed[len(changed)/2] ^= 1
		for name, err := range map[string]error{
			"another body":   verify(recordedSecret, r.signature, changed),
			"another secret": verify("x"+recordedSecret, r.signature, r.body),
			"no signature":   verify(recordedSecret, "", r.body),
			"no prefix":      verify(recordedSecret, strings.TrimPrefix(r.signature, "sha256="), r.body),
			"cut off":        verify(recordedSecret, r.signature[:len(r.signature)-2], r.body),
		} {
			if assist.CodeOf(err) != assist.Unauthenticated {
				t.Errorf("%s with %s: %v", r.file, name, err)
			}
		}
	}
}

// TestRecordedMessages: every recorded message is the turn it should be, by the
// recording's own name: event-type-sender-private-status.
func TestRecordedMessages(t *testing.T) {
	name := regexp.MustCompile(`^\d+-(.+)\.json$`)
	for _, r := range recordings(t) {
		var e envelope
		if err := json.Unmarshal(r.body, &e); err != nil {
			t.Errorf("%s: %v", r.file, err)
			continue
		}
		kind := name.FindStringSubmatch(r.file)[1]
		if !strings.HasPrefix(kind, "message.") {
			continue
		}
		var m message
		if err := json.Unmarshal(e.Payload, &m); err != nil {
			t.Errorf("%s: %v", r.file, err)
			continue
		}
		n, ok := m.turn()
		want := assist.Role("")
		switch {
		case strings.Contains(kind, "-incoming-contact-"):
			want = assist.RoleCustomer
		case strings.Contains(kind, "-activity-"):
			if m.activity() != "" {
				want = assist.RoleSystem
			}
		case strings.Contains(kind, "-private-"):
		case m.Author.Type == "ai_assistant":
			want = assist.RoleBot
		case strings.Contains(kind, "-outgoing-agent-"):
			want = assist.RoleAgent
		}
		if ok != (want != "") || ok && n.Role != want {
			t.Errorf("%s became %q (%v), want %q", r.file, n.Role, ok, want)
		}
		if !ok {
			continue
		}
		if n.ExternalID != m.UUID || n.Conversation != "libredesk:"+m.Conversation || n.At.IsZero() {
			t.Errorf("%s: wrong ids or time: %+v", r.file, n)
		}
		if err := n.Validate(); err != nil {
			t.Errorf("%s: %v", r.file, err)
		}
	}
}

// told is what a conversation has become.
type told struct {
	Status assist.Status
	Agent  string
	Turns  []string
}

// TestRecordedDeliveriesInAnyOrder: a thousand shuffles with repeats give the same
// transcripts and states.
func TestRecordedDeliveriesInAnyOrder(t *testing.T) {
	all := recordings(t)
	var want map[string]told
	for seed := range uint64(1000) {
		got := map[string]told{}
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 9))
			order := slices.Clone(all)
			if seed > 0 { // the first is as it was recorded
				for _, d := range all {
					if r.IntN(2) == 0 {
						order = append(order, d)
					}
				}
				r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			}
			now := func() time.Time { return time.Date(2026, 11, 22, 3, 22, 35, 0, time.UTC) }
			store := memstore.New(now)
			service := chat.New(store, nil, nowhere{}, chat.Options{Logger: quiet(), Now: now})
			c, err := New(Config{URL: "http://desk.example", WebhookSecret: recordedSecret}, Options{Chats: service, Marks: newMarks(now), Logger: quiet(), Now: now})
			if err != nil {
				t.Fatal(err)
			}
			send := func(d recording) {
				if code := deliver(c, recordedSecret, d.body); code != http.StatusAccepted {
					t.Fatalf("seed %d: %s was answered with %d", seed, d.file, code)
				}
			}
			for _, d := range order {
				send(d)
				time.Sleep(time.Duration(r.IntN(2500)) * time.Microsecond) // synctest's time: within the hold
			}
			time.Sleep(time.Second)
			for range 5 {
				send(all[r.IntN(len(all))]) // and some again, long after
			}
			time.Sleep(time.Second)
			if err := c.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			for _, id := range []string{"ab38f03f-a5e3-4354-a1bf-10bccf5031f8", "75bea79a-9f7f-46a5-9db3-dfd077e7489d",
				"3d8adec3-4fa4-4486-8f53-5f845652ca7e", "d2831615-f017-463c-807e-f8477277b1db"} {
				conv, err := store.Conversation(t.Context(), prefix+id)
				if err != nil {
					t.Fatal(err)
				}
				turns, _, err := store.Transcript(t.Context(), prefix+id, 100)
				if err != nil {
					t.Fatal(err)
				}
				x := told{Status: conv.Status, Agent: conv.Agent}
				for _, turn := range turns {
					line := string(turn.Role) + " " + turn.Name + " " + turn.ExternalID + " " + turn.Text
					if turn.Action != nil {
						line += turn.Action.Name
					}
					x.Turns = append(x.Turns, line)
				}
				got[id[:4]] = x
			}
			service.Stop(t.Context())
		})
		if want == nil {
			want = got
			checkRecorded(t, got)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d differs (-recorded order +this one):\n%s", seed, diff)
		}
	}
}

// checkRecorded says what the recordings should have become.
func checkRecorded(t *testing.T, got map[string]told) {
	t.Helper()
	roles := func(x told) (out []string) {
		for _, l := range x.Turns {
			out = append(out, strings.Fields(l)[0])
		}
		return out
	}
	for id, want := range map[string]told{
		"ab38": {assist.StatusClosed, "", []string{"customer", "customer", "agent", "system"}},
		"75be": {assist.StatusOpen, "", []string{"customer", "customer", "agent"}},
		"3d8a": {assist.StatusOpen, "", []string{"customer", "customer", "agent"}},
		"d283": {assist.StatusOpen, "libredesk:agent:6", []string{"customer", "bot"}},
	} {
		if g := got[id]; g.Status != want.Status || g.Agent != want.Agent || !slices.Equal(roles(g), want.Turns) {
			t.Errorf("%s… became %s %q %q, want %s %q %q", id, g.Status, g.Agent, roles(g), want.Status, want.Agent, want.Turns)
		}
	}
}

// TestRecordedLink opens the recorded context link.
func TestRecordedLink(t *testing.T) {
	dir := filepath.Join(testkit.Dir(t), "libredesk")
	var call struct {
		Response struct{ Data string }
	}
	readJSON(t, filepath.Join(dir, "api", "71-context-link-url.json"), &call)
	var plain linkToken
	readJSON(t, filepath.Join(dir, "context-link-token.json"), &plain)
	q := query(t, call.Response.Data)
	got, ok := open("0123456789abcdef0123456789abcdef", q.Get("t"))
	if !ok {
		t.Fatal("the recorded token cannot be opened")
	}
	if got != plain {
		t.Errorf("opened %+v, recorded %+v", got, plain)
	}
	at := time.Unix(plain.Issued+10, 0)
	c := linked(t, &at)
	who, err := c.SignOn(q)
	if err != nil {
		t.Fatal(err)
	}
	want := assist.Identity{Subject: "libredesk:agent:2", Actor: assist.ActorAgent, Name: plain.AgentEmail,
		Conversation: "libredesk:" + plain.Conversation, Expires: at.Add(panelFor)}
	if d := cmp.Diff(want, who); d != "" {
		t.Error(d)
	}
}
