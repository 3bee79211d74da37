package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/bot"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/postgres/local"
	"github.com/aside-project/aside/internal/pubsub"
)

// Check is one finding of the doctor.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"` // the one command or setting that mends it
}

// Examine looks at everything a server of cfg would need. It changes nothing but
// starting the private cluster for as long as it looks.
func Examine(ctx context.Context, cfg Config, log *slog.Logger) []Check {
	checks := []Check{examineSecret(cfg), examineSignIn(ctx, cfg), examinePanel(cfg)}
	if cfg.Database == "" {
		checks = append(checks, examinePostgres())
	}
	if last := checks[len(checks)-1]; last.OK || cfg.Database != "" {
		checks = append(checks, examineDatabase(ctx, cfg, log)...)
	}
	checks = append(checks, examineBus(ctx, cfg, log))
	a := &App{cfg: cfg, log: log}
	if err := a.connectModels(); err != nil {
		return append(checks, Check{Name: "model", Detail: err.Error(), Fix: "set ASIDE_LLM_BASE_URL to the server's address, ending in /v1 for most"})
	}
	return append(checks, a.examineModel(ctx), a.examineEmbedder(ctx), examineTraces(ctx, cfg, os.Getenv))
}

// examineTraces looks whether somebody listens where traces are sent.
func examineTraces(ctx context.Context, cfg Config, env func(string) string) Check {
	c := Check{Name: "traces", OK: true, Detail: "none sent: OTEL_EXPORTER_OTLP_ENDPOINT is not set"}
	if !cfg.Traces {
		return c
	}
	where := orElse(env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), env("OTEL_EXPORTER_OTLP_ENDPOINT"))
	fix := "set OTEL_EXPORTER_OTLP_ENDPOINT to the collector's address for OTLP over HTTP, such as http://127.0.0.1:4318"
	u, err := url.Parse(where)
	if err != nil || u.Host == "" {
		return Check{Name: "traces", Detail: "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL", Fix: fix}
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return Check{Name: "traces", Detail: fmt.Sprintf("nobody listens at %s: %v", host, err), Fix: fix}
	}
	if err := conn.Close(); err != nil {
		return Check{Name: "traces", Detail: err.Error(), Fix: fix}
	}
	c.Detail = "sent to " + host
	return c
}

func examineSecret(cfg Config) Check {
	c := Check{Name: "secret", OK: true, Detail: "from ASIDE_SECRET"}
	if cfg.Secret == "" {
		c.Detail = "none set: development uses the one in " + cfg.DataDir + "; `aside serve` needs ASIDE_SECRET"
	}
	if !cfg.HasSecret() {
		return c // made at first use
	}
	if _, err := cfg.Signer(); err != nil {
		c.OK, c.Detail, c.Fix = false, assist.MessageOf(err), "export ASIDE_SECRET=$(openssl rand -hex 32)"
	}
	return c
}

// examineSignIn asks the provider for its description.
func examineSignIn(ctx context.Context, cfg Config) Check {
	c := Check{Name: "sign-in", OK: true, Detail: "by pasted tokens: ASIDE_OIDC_ISSUER is not set"}
	if !cfg.OIDC.On() {
		return c
	}
	p, err := cfg.provider()
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		err = p.Check(ctx)
	}
	if err != nil {
		return Check{Name: "sign-in", Detail: err.Error(), Fix: "curl " + strings.TrimSuffix(cfg.OIDC.Issuer, "/") + "/.well-known/openid-configuration"}
	}
	c.Detail = "with " + cfg.OIDC.Issuer + "; the provider must know the redirect address " + cfg.callback()
	return c
}

// examinePanel says who may embed the panel and the chat, and with whose word.
func examinePanel(cfg Config) Check {
	c := Check{Name: "panel", OK: true, Detail: "in pages of " + strings.Join(cfg.Origins, ", ")}
	switch {
	case len(cfg.Origins) == 0 && cfg.PanelSecret == "":
		c.Detail = "in pages of this server only: ASIDE_ORIGINS names those of a chat tool or a shop"
	case len(cfg.Origins) == 0:
		c.OK, c.Detail = false, "ASIDE_PANEL_SECRET is set, but no other page may embed the panel"
		c.Fix = "export ASIDE_ORIGINS=https://the-chat-tool.example.com"
	case cfg.PanelSecret == "":
		c.Detail += "; with tokens of ASIDE_SECRET, as ASIDE_PANEL_SECRET is not set"
	}
	return c
}

func examinePostgres() Check {
	b, err := local.Find()
	if err == nil {
		err = b.CheckVector()
	}
	if err != nil {
		return Check{Name: "postgres", Detail: err.Error(), Fix: "make setup"}
	}
	return Check{Name: "postgres", OK: true, Detail: fmt.Sprintf("PostgreSQL %s in %s", b.Version, b.Dir)}
}

func examineDatabase(ctx context.Context, cfg Config, log *slog.Logger) []Check {
	if cfg.Database == "" && !local.Made(cfg.DataDir) {
		return []Check{{Name: "database", OK: true, Detail: noCluster(cfg.DataDir)}}
	}
	db, err := OpenDatabase(ctx, cfg, log)
	if err != nil {
		fix := "start it, then check ASIDE_DATABASE_URL"
		if assist.CodeOf(err) == assist.Invalid {
			fix = "mend ASIDE_DATABASE_URL"
		}
		if cfg.Database == "" {
			fix = "look at the end of postgres.log in " + cfg.DataDir
			var missing *local.NotInstalledError
			if errors.As(err, &missing) {
				fix = "make setup"
			}
		}
		return []Check{{Name: "database", Detail: assist.Explain(err), Fix: fix}}
	}
	checks := append(examineOpen(ctx, db.DB, cfg.Seal), examineReplica(ctx, db.DB))
	checks = append(checks, examineBot(ctx, cfg, db.DB))
	checks = append(checks, examineTools(ctx, cfg, db.DB, log)...)
	if err := db.Shut(); err != nil {
		checks = append(checks, Check{Name: "database", Detail: err.Error()})
	}
	return checks
}

func examineOpen(ctx context.Context, db *postgres.DB, seal string) []Check {
	info, err := db.Info(ctx)
	if err != nil {
		return []Check{{Name: "database", Detail: err.Error(), Fix: "check that the user of ASIDE_DATABASE_URL may read its own schema"}}
	}
	checks := []Check{
		{Name: "database", OK: true, Detail: fmt.Sprintf("PostgreSQL %s, schema at migration %d", info.Server, info.Migration)},
		{Name: "pgvector", OK: true, Detail: info.Vector},
		{Name: "public role", OK: info.PublicUser != "", Detail: fmt.Sprintf("customers' reads run as %s, which cannot see internal passages", info.PublicUser)},
		{Name: "knowledge", OK: true, Detail: fmt.Sprintf("%d passages", info.Passages)},
	}
	if info.OldVector {
		checks[1].Detail += ": works; releases before 0.8.6 lack index repairs, so large vector indexes are built without parallel workers"
	}
	if !checks[2].OK {
		checks[2].Detail = info.PublicError
		checks[2].Fix = "set ASIDE_DATABASE_PUBLIC_URL to a role that is neither owner nor superuser"
	}
	checks = append(checks, examineRecord(ctx, db), examineSeals(ctx, db, seal))
	if info.Passages == 0 {
		checks[3].Detail, checks[3].Fix = "empty", "aside ingest PATH"
	}
	return checks
}

// examineBot says what the customers' bot does, and who says so.
func examineBot(ctx context.Context, cfg Config, db *postgres.DB) Check {
	s, err := botSettings(ctx, cfg, db)
	if err != nil {
		return Check{Name: "bot", Detail: assist.Explain(err), Fix: "mend " + bot.SettingsFile + " beside the knowledge, then: aside ingest PATH"}
	}
	by := bot.SettingsFile
	if cfg.Bot != "" {
		by = "ASIDE_BOT"
	}
	c := Check{Name: "bot", OK: true, Detail: fmt.Sprintf("%s, as %s says", s.Mode, by)}
	switch {
	case s.Mode == "":
		c.Detail = "off: there is no " + bot.SettingsFile + " beside the knowledge, and ASIDE_BOT is not set"
	case s.Mode != bot.Off:
		from := "the default; `aside eval abstention --write` finds your own"
		if s.Threshold > 0 {
			from = "found for this knowledge"
		}
		c.Detail += fmt.Sprintf("; answers from evidence of %.2f (%s)", s.AnswerFrom(), from)
	}
	return c
}

// examineReplica asks the replica itself how far it is.
func examineReplica(ctx context.Context, db *postgres.DB) Check {
	r := db.ExamineReplica(ctx)
	switch {
	case !r.On:
		return Check{Name: "read replica", OK: true, Detail: "none: retrieval reads from the database; ASIDE_DATABASE_READ_URL is not set"}
	case r.Serves:
		return Check{Name: "read replica", OK: true, Detail: "retrieval reads from it"}
	}
	return Check{Name: "read replica", Detail: r.Why + "; retrieval reads from the database itself", Fix: r.Mend}
}

// examineBus sends itself a message through the event bus.
func examineBus(ctx context.Context, cfg Config, log *slog.Logger) Check {
	if cfg.NATS == "" {
		return Check{Name: "event bus", OK: true, Detail: "none: this is the only node; ASIDE_NATS_URL is not set"}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	server, err := pubsub.Probe(ctx, cfg.natsOptions("aside doctor", log))
	if err != nil {
		return Check{Name: "event bus", Detail: fmt.Sprintf("%v; nodes read each other's events from the log meanwhile, within seconds", err),
			Fix: "start the NATS server, then check ASIDE_NATS_URL and ASIDE_NATS_CREDS; its user must be allowed to publish and subscribe " + cfg.busPrefix() + ".>"}
	}
	return Check{Name: "event bus", OK: true, Detail: "NATS server " + server + " passes events on"}
}

// examineRecord looks for rows that somebody took out.
func examineRecord(ctx context.Context, db *postgres.DB) Check {
	r, err := db.Record(ctx)
	if err != nil {
		return Check{Name: "record", Detail: err.Error(), Fix: "ask again when the database has less to do"}
	}
	c := Check{Name: "record", OK: true, Detail: fmt.Sprintf(
		"replies of agents: %d, on a suggestion: %d (tables turns and suggestions); erasures: %d; revocations in force: %d; rows missing in the last %d conversations: none",
		r.Replies, r.Used, r.Erasures, r.Revoked, r.Looked)}
	if len(r.Broken) > 0 {
		c.OK, c.Detail = false, fmt.Sprintf("of the last %d conversations these lack rows that Aside never deletes: %s", r.Looked, strings.Join(r.Broken, ", "))
		c.Fix = "restore them from a backup, and find out who writes to the database beside Aside"
	}
	return c
}

// examineSeals looks for what was changed in the record, or taken out with all its
// traces; known is a head that the operator kept, "" for none.
func examineSeals(ctx context.Context, db *postgres.DB, known string) Check {
	u, err := db.Examine(ctx, known)
	if err != nil {
		return Check{Name: "seals", Detail: err.Error(), Fix: "ask again when the database has less to do"}
	}
	c := Check{Name: "seals", OK: true, Detail: "none yet: conversations are sealed when they have rested for ten minutes"}
	if u.Seals > 0 {
		c.Detail = fmt.Sprintf("the record is as it was sealed; seal %d has the head %s. Keep it elsewhere, as the log does: `aside doctor --seal HEAD` asks whether it still holds", u.Seals, u.Head)
	}
	var faults []string
	if known != "" && !u.Known {
		faults = append(faults, "none of the seals has the head that you kept: the record before it was made anew, or its end cut off")
	}
	if u.Broken > 0 {
		faults = append(faults, fmt.Sprintf("seal %d does not follow from the one before and what it covers", u.Broken))
	}
	if len(u.Changed) > 0 {
		faults = append(faults, "these conversations are not what they were when they were sealed: "+strings.Join(u.Changed, ", "))
	}
	if u.Gone > 0 {
		faults = append(faults, fmt.Sprintf("%d conversations are gone that nobody erased", u.Gone))
	}
	if len(faults) > 0 {
		c.OK, c.Detail, c.Fix = false, strings.Join(faults, "; "), "restore them from a backup, and find out who writes to the database beside Aside"
	}
	return c
}

func (a *App) examineModel(ctx context.Context) Check {
	c := Check{Name: "model", OK: true, Detail: "none: drafts come from the knowledge alone"}
	if a.model == nil {
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	can, err := a.model.Probe(ctx)
	if err != nil {
		return Check{Name: "model", Detail: err.Error(), Fix: "check ASIDE_LLM_BASE_URL (most servers want /v1 at its end), ASIDE_LLM_MODEL and ASIDE_LLM_API_KEY"}
	}
	c.Detail = fmt.Sprintf("%s answers; form %s, first token after %d ms", can.Model, can.Format, can.FirstToken.Milliseconds())
	if !can.Keeps {
		c.Detail += "; it does not keep to JSON, so drafts are read as plain text"
	}
	return c
}

func (a *App) examineEmbedder(ctx context.Context) Check {
	c := Check{Name: "embeddings", OK: true, Detail: "none: search is lexical"}
	if a.embedder == nil {
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	can, err := a.embedder.Probe(ctx)
	if err != nil {
		return Check{Name: "embeddings", Detail: err.Error(), Fix: "check ASIDE_EMBED_BASE_URL, ASIDE_EMBED_MODEL and ASIDE_EMBED_API_KEY"}
	}
	c.Detail = fmt.Sprintf("%s, %d dimensions", a.embedder.Name(), can.Dimension)
	return c
}
