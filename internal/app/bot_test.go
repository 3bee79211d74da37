package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
	"github.com/aside-project/aside/internal/bot"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/replay"
	"github.com/aside-project/aside/internal/testkit/scripted"
	"github.com/aside-project/aside/internal/web"
)

const widgetSecret = "what only the shop's site and we know"

// session asks for a widget's session as a page does.
func session(t *testing.T, a *app.App, body string) (web.WidgetSession, int) {
	t.Helper()
	res, err := http.Post(a.URL()+"/v1/widget/session", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var s web.WidgetSession
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s, res.StatusCode
}

// customerOf connects with a session's token.
func customerOf(t *testing.T, a *app.App, cfg app.Config, s web.WidgetSession) *client {
	t.Helper()
	signer, err := cfg.Signer()
	if err != nil {
		t.Fatal(err)
	}
	who, err := signer.Verify(s.Token)
	if err != nil || who.Conversation != s.Conversation {
		t.Fatalf("%+v, %v", who, err)
	}
	c := connect(t, a, cfg, who)
	c.send("conversation.open", "open", s.Conversation, object{"after": 0})
	return c
}

// TestCustomersBot is the bot in one test: a sourced answer, a hand-over with a
// ready suggestion, an agent's words, and silence of the bot.
func TestCustomersBot(t *testing.T) {
	model := scripted.Start(t, scripted.Script{})
	a, cfg := server(t, func(c *app.Config) {
		c.Bot = "answer"
		c.Model = app.Endpoint{BaseURL: model.URL, Model: "scripted"}
	})
	s, code := session(t, a, `{}`)
	if code != 200 || s.Mode != "answer" || !s.Open {
		t.Fatalf("%d %+v", code, s)
	}
	customer, agent := customerOf(t, a, cfg, s), connect(t, a, cfg, maya)
	agent.send("conversation.open", "a", s.Conversation, object{"after": 0})
	customer.send("turn.add", "1", s.Conversation, object{"role": "customer", "text": "When does a refund for a broken zipper reach my card?"})
	if f := customer.until("turn.added", `"role":"bot"`); !strings.Contains(string(f.Data), "5 business days") || strings.Contains(string(f.Data), "$25") {
		t.Errorf("the bot said %s", f.Data)
	}
	customer.send("turn.add", "2", s.Conversation, object{"role": "customer", "text": "Do you rent bicycles in Iceland?"})
	if f := customer.until("handoff", ""); !strings.Contains(string(f.Data), `"state":"waiting"`) || strings.Contains(string(f.Data), "Nothing public") {
		t.Errorf("hand-over %s", f.Data)
	}
	if f := agent.until("handoff", ""); !strings.Contains(string(f.Data), `"reason_code":"no_evidence"`) || !strings.Contains(string(f.Data), "bicycles") {
		t.Errorf("agents see %s", f.Data)
	}
	agent.next(func(f frame) bool { return f.Type == "suggestion.ready" || f.Type == "suggestion.abstained" }) // for the agent, from all pages
	agent.send("handoff.take", "t", s.Conversation, object{})
	customer.until("handoff", `"state":"taken","to_name":"Maya R."`)
	agent.send("reply.send", "r", s.Conversation, object{"text": "We do not, sorry."})
	customer.until("turn.added", `"role":"agent"`)
	last := customer.send("turn.add", "3", s.Conversation, object{"role": "customer", "text": "When does a refund for a broken zipper reach my card?"})
	var at struct{ Seq int64 }
	if err := json.Unmarshal(last.Data, &at); err != nil {
		t.Fatal(err)
	}
	agent.until("suggestion.ready", fmt.Sprintf(`"for_seq":%d,`, at.Seq))
	for _, f := range customer.seen {
		if f.Type == "turn.added" && f.Seq > 6 && strings.Contains(string(f.Data), `"role":"bot"`) {
			t.Errorf("the bot speaks behind the person: %s", f.Data)
		}
	}
}

func TestWidgetSessions(t *testing.T) {
	a, cfg := server(t, func(c *app.Config) { c.Bot, c.WidgetSecret = "answer", widgetSecret })
	guests, err := auth.NewGuests([]byte(widgetSecret))
	if err != nil {
		t.Fatal(err)
	}
	vouch := func(sub string, ttl time.Duration) string {
		token, err := guests.Sign(auth.Guest{Subject: sub, Name: "Cleo"}, ttl)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	body := func(identity, token string) string {
		b, _ := json.Marshal(web.WidgetRequest{Identity: identity, Token: token})
		return string(b)
	}
	one, _ := session(t, a, `{}`)
	two, _ := session(t, a, `{}`)
	if one.Conversation == two.Conversation || len(one.Conversation) < 30 {
		t.Errorf("strangers share %s and %s", one.Conversation, two.Conversation)
	}
	if again, _ := session(t, a, body("", one.Token)); again.Conversation != one.Conversation {
		t.Errorf("the same tab got %s, then %s", one.Conversation, again.Conversation)
	}
	if code, words := call(t, "POST", a.URL()+"/v1/revocations", tokenOf(t, cfg, ci), `{"subject":"`+subjectOf(t, one.Token)+`"}`); code != http.StatusNoContent {
		t.Fatalf("revoke: %d %s", code, words)
	}
	if s, _ := session(t, a, body("", one.Token)); s.Conversation == one.Conversation {
		t.Error("a revoked visitor got another token for their conversation")
	}
	limited := 0
	for i := 0; i < 2000 && limited == 0; i++ { // sooner or later, unless each takes a second
		if _, code := session(t, a, body("", two.Token)); code == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited == 0 {
		t.Error("a token is made anew as often as somebody likes")
	}
	tab, _ := session(t, a, body(vouch("7", time.Hour), ""))
	phone, _ := session(t, a, body(vouch("7", time.Minute), ""))
	other, _ := session(t, a, body(vouch("8", time.Hour), ""))
	if tab.Conversation != phone.Conversation || other.Conversation == tab.Conversation {
		t.Errorf("customer 7 has %s and %s, customer 8 %s", tab.Conversation, phone.Conversation, other.Conversation)
	}
	if s, _ := session(t, a, body(vouch("8", time.Hour), tab.Token)); s.Conversation != other.Conversation {
		t.Error("a browser's old token opened another customer's conversation")
	}
	if s, _ := session(t, a, body("", tab.Token)); s.Conversation == tab.Conversation {
		t.Error("signed out of the site, and still in its customer's conversation")
	}
	for name, identity := range map[string]string{"expired": vouch("7", -time.Hour), "forged": vouch("7", time.Hour) + "x", "garbage": "x", "too long": vouch("7", 50*time.Hour)} {
		if _, code := session(t, a, body(identity, "")); code != http.StatusForbidden {
			t.Errorf("%s: %d", name, code)
		}
	}
	customer, agent := customerOf(t, a, cfg, tab), connect(t, a, cfg, maya)
	customer.send("turn.add", "1", tab.Conversation, object{"role": "customer", "text": "hello"})
	agent.send("conversation.close", "c", tab.Conversation, object{})
	if s, _ := session(t, a, body(vouch("7", time.Hour), tab.Token)); s.Conversation == tab.Conversation {
		t.Error("a closed conversation goes on")
	}
	refused := 0
	for range bot.DefaultLimits.Address + 5 {
		if _, code := session(t, a, `{}`); code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 5 {
		t.Errorf("%d of %d were refused", refused, bot.DefaultLimits.Address+5)
	}
}

// TestBotFlood floods the bot while a replay measures agents; `make bench-bot`.
func TestBotFlood(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("ASIDE_FLOOD"))
	if n == 0 {
		t.Skip("make bench-bot runs it")
	}
	const tokens = 150_000
	model := scripted.Start(t, scripted.Script{})
	a, cfg := server(t, func(c *app.Config) {
		c.Bot = "answer"
		c.Model = app.Endpoint{BaseURL: model.URL, Model: "scripted"}
	})
	db, err := postgres.Open(t.Context(), postgres.Config{URL: cfg.Database, Schema: cfg.Schema})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Stop)
	if err := db.PutBotSettings(t.Context(), fmt.Sprintf("mode: answer\nthreshold: 0.2\nlimits: {day: 1000000, tokens: %d}\n", tokens), "flood"); err != nil {
		t.Fatal(err)
	}
	signer, err := cfg.Signer()
	if err != nil {
		t.Fatal(err)
	}
	tool, err := signer.Sign(source, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := evals.Files.ReadFile("chats/demo.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var many []byte // enough that a 95th percentile is not one turn
	for i := range 4 {
		many = append(many, bytes.ReplaceAll(recorded, []byte(`"_id": "`), fmt.Appendf(nil, `"_id": "%d-`, i))...)
		many = append(many, '\n')
	}
	agents := func() replay.Report {
		r, err := replay.Run(t.Context(), replay.Options{URL: a.URL(), Token: tool, Concurrency: 60, Rate: 12}, bytes.NewReader(many))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	agents() // warms up
	before := agents()
	questions := []string{"When does a refund for a broken zipper reach my card?", "Do you rent bicycles in Iceland?", "Is a jacket whose zipper broke refunded in full?", "thanks"}
	var wg sync.WaitGroup
	var acked, refused atomic.Int64
	work := make(chan int)
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	for range 32 {
		wg.Go(func() {
			for i := range work {
				id := fmt.Sprintf("flood-%d", i)
				token, err := signer.Sign(assist.Identity{Subject: id, Actor: assist.ActorCustomer, Conversation: id}, time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				req, _ := http.NewRequestWithContext(context.Background(), "POST", a.URL()+"/v1/conversations/"+id+"/turns",
					strings.NewReader(fmt.Sprintf(`{"id":"1","role":"customer","text":%q}`, questions[i%len(questions)])))
				req.Header.Set("Authorization", "Bearer "+token)
				res, err := client.Do(req)
				if err != nil {
					refused.Add(1)
					continue
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if res.StatusCode == http.StatusCreated {
					acked.Add(1)
				} else {
					refused.Add(1)
				}
			}
		})
	}
	rate := 120.0
	if r, err := strconv.ParseFloat(os.Getenv("ASIDE_FLOOD_RATE"), 64); err == nil {
		rate = r
	}
	began := time.Now()
	wg.Go(func() {
		defer close(work)
		tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer tick.Stop()
		for i := range n {
			<-tick.C
			work <- i
		}
	})
	during := agents()
	wg.Wait()
	took := time.Since(began)
	desk := connect(t, a, cfg, maya) // sees each answer and each hand-over
	desk.send("queue.open", "q", "", object{})
	var counts map[string]int64
	for {
		if counts, err = db.BotBacklog(t.Context()); err != nil {
			t.Fatal(err)
		}
		if counts["unanswered"] == 0 {
			break
		}
		desk.until("queue.changed", "")
	}
	spent, reserved, err := db.TokensSpent(t.Context(), bot.Day(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("flood: %d asked in %.0f s, %d acked, %d refused; %v", n, took.Seconds(), acked.Load(), refused.Load(), counts)
	t.Logf("agents' instant p95: %.1f ms before (n %d), %.1f ms during (n %d), %+.0f%%; lost %d", before.Instant.P95, before.Instant.N, during.Instant.P95, during.Instant.N,
		100*(during.Instant.P95/before.Instant.P95-1), before.Lost+during.Lost)
	t.Logf("p50 %.1f → %.1f ms; tokens: %d spent, %d reserved of %d", before.Instant.P50, during.Instant.P50, spent, reserved, tokens)
	if int64(n) != acked.Load() || counts["unanswered"] > 0 || counts["bot"]+counts["waiting"] < int64(n) || before.Lost+during.Lost > 0 {
		t.Error("something was lost")
	}
	if spent+reserved > tokens {
		t.Error("more was spent than allowed")
	}
}

// subjectOf reads the sub of a token without believing it.
func subjectOf(t *testing.T, token string) string {
	t.Helper()
	part := strings.Split(token, ".")[1]
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var c struct{ Sub string }
	if err := json.Unmarshal(b, &c); err != nil || c.Sub == "" {
		t.Fatalf("%s: %v", b, err)
	}
	return c.Sub
}
