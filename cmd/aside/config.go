package main

import (
	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/connect/chatwoot"
	"github.com/aside-project/aside/internal/connect/generic"
	"github.com/aside-project/aside/internal/connect/libredesk"
	"github.com/aside-project/aside/internal/observe"
)

// The groups of settings that commands share.

func signing(o *options, cfg *app.Config) {
	dataDir(o, cfg)
	o.secretVar(&cfg.Secret, "ASIDE_SECRET", "signs tokens, at least 32 bytes; without it the one in the data directory")
}

func dataDir(o *options, cfg *app.Config) {
	if o.Lookup("data-dir") != nil {
		return
	}
	o.StringVar(&cfg.DataDir, "data-dir", cfg.DataDir, "`folder` of the private Postgres and the development secret")
	o.fromEnv("data-dir", "ASIDE_DATA_DIR")
}

func database(o *options, cfg *app.Config) {
	dataDir(o, cfg)
	schema(o, cfg)
	o.secretVar(&cfg.Database, "ASIDE_DATABASE_URL", "PostgreSQL with pgvector; without it the private cluster of the data directory")
	o.secretVar(&cfg.Read, "ASIDE_DATABASE_READ_URL", "a streaming replica of that database, from which retrieval reads while it is at most 2 s behind")
	o.secretVar(&cfg.Public, "ASIDE_DATABASE_PUBLIC_URL", "the same database as the role for customers, where the first user may not create roles")
}

func schema(o *options, cfg *app.Config) {
	o.StringVar(&cfg.Schema, "schema", cfg.Schema, "`name` of the schema that holds our tables")
	o.fromEnv("schema", "ASIDE_SCHEMA")
}

func embedder(o *options, cfg *app.Config) {
	o.BoolVar(&cfg.Model.AllowHTTP, "llm-allow-http", false, "reach models on other machines over plain http: what customers write crosses the network in clear")
	o.fromEnv("llm-allow-http", "ASIDE_LLM_ALLOW_HTTP")
	o.StringVar(&cfg.Embedder.BaseURL, "embed-url", "", "`URL` of an OpenAI-compatible server for embeddings (default: that of the chat model)")
	o.fromEnv("embed-url", "ASIDE_EMBED_BASE_URL")
	o.StringVar(&cfg.Embedder.Model, "embed-model", "", "embedding `model`; without it search is lexical")
	o.fromEnv("embed-model", "ASIDE_EMBED_MODEL")
	o.secretVar(&cfg.Embedder.APIKey, "ASIDE_EMBED_API_KEY", "key of the embedding server")
}

func model(o *options, cfg *app.Config) {
	chatModel(o, cfg)
	embedder(o, cfg)
}

func chatModel(o *options, cfg *app.Config) {
	o.StringVar(&cfg.Model.BaseURL, "llm-url", "", "`URL` of an OpenAI-compatible server, such as http://127.0.0.1:11434/v1")
	o.fromEnv("llm-url", "ASIDE_LLM_BASE_URL")
	o.StringVar(&cfg.Model.Model, "llm-model", "", "chat `model`; without it drafts come from the knowledge alone")
	o.fromEnv("llm-model", "ASIDE_LLM_MODEL")
	o.secretVar(&cfg.Model.APIKey, "ASIDE_LLM_API_KEY", "key of the chat model's server")
}

func serving(o *options, cfg *app.Config) {
	signing(o, cfg)
	database(o, cfg)
	model(o, cfg)
	o.StringVar(&cfg.Listen, "listen", cfg.Listen, "`host:port` to serve on")
	o.fromEnv("listen", "ASIDE_LISTEN")
	o.secretVar(&cfg.NATS, "ASIDE_NATS_URL", "NATS cluster that carries events between nodes, such as tls://user:password@nats:4222; without it this is the only node")
	o.StringVar(&cfg.NATSCreds, "nats-creds", "", "`file` with the credentials of a NATS user")
	o.fromEnv("nats-creds", "ASIDE_NATS_CREDS")
	o.Var((*list)(&cfg.Origins), "origins", "other `origins` whose pages may connect, comma separated")
	o.fromEnv("origins", "ASIDE_ORIGINS")
	o.Func("llm-price", "`IN,OUT` dollars per million tokens of the chat model, for the metric of its cost", func(s string) (err error) {
		cfg.Price, err = observe.ParsePrice(s)
		return err
	})
	o.fromEnv("llm-price", "ASIDE_LLM_PRICE")
	o.StringVar(&cfg.Debug, "debug-listen", "", "`host:port` of this machine for profiles (pprof)")
	o.fromEnv("debug-listen", "ASIDE_DEBUG_LISTEN")
	cfg.Traces = observe.TracesWanted(o.env)
	o.secretVar(&cfg.PanelSecret, "ASIDE_PANEL_SECRET", "with it the server of a chat tool signs who its agents are, for <aside-panel>")
	signingIn(o, cfg)
	o.Var((*list)(&cfg.Proxies), "trusted-proxies", "`networks` of your proxies, comma separated: their X-Forwarded-For says whose request it is")
	o.fromEnv("trusted-proxies", "ASIDE_TRUSTED_PROXIES")
	o.StringVar(&cfg.Bot, "bot", "", "`what` the customer's bot does: off, suggest or answer (default: as bot.yaml beside the knowledge says, off without one)")
	o.fromEnv("bot", "ASIDE_BOT")
	o.secretVar(&cfg.WidgetSecret, "ASIDE_WIDGET_SECRET", "with it the site that hosts the widget signs who its customers are")
	o.StringVar(&cfg.Prompts, "prompts", "", "`folder` of prompt files instead of those built in")
	o.fromEnv("prompts", "ASIDE_PROMPTS")
	o.StringVar(&cfg.Rollout, "rollout", "", "write a `share` of the conversations with a variant, such as reply@short=10 (percent)")
	o.fromEnv("rollout", "ASIDE_ROLLOUT")
	connectLibredesk(o, &cfg.Libredesk)
	connectChatwoot(o, &cfg.Chatwoot)
	connectHook(o, &cfg.Hook)
}

func connectChatwoot(o *options, c *chatwoot.Config) {
	o.StringVar(&c.URL, "chatwoot-url", "", "`URL` of Chatwoot, to suggest replies for its chats")
	o.fromEnv("chatwoot-url", "ASIDE_CHATWOOT_URL")
	o.Int64Var(&c.Account, "chatwoot-account", 0, "`number` of the account there")
	o.fromEnv("chatwoot-account", "ASIDE_CHATWOOT_ACCOUNT")
	o.BoolVar(&c.Notes, "chatwoot-notes", false, "post each suggestion there as a private note")
	o.fromEnv("chatwoot-notes", "ASIDE_CHATWOOT_NOTES")
	o.secretVar(&c.Secret, "ASIDE_CHATWOOT_SECRET", "that Chatwoot signs the account's webhook with")
	o.secretVar(&c.PathSecret, "ASIDE_CHATWOOT_PATH_SECRET", "ends the webhook's address, for a Chatwoot that does not sign (before 4.11.2)")
	o.secretVar(&c.Token, "ASIDE_CHATWOOT_TOKEN", "a user's access token, to read what was missed")
	o.secretVar(&c.BotToken, "ASIDE_CHATWOOT_BOT_TOKEN", "the agent bot's access token, for answers and notes")
	o.secretVar(&c.BotSecret, "ASIDE_CHATWOOT_BOT_SECRET", "that Chatwoot signs the bot's webhook with")
	o.secretVar(&c.Agents, "ASIDE_CHATWOOT_AGENTS", "agents' own tokens for their replies, one \"SUBJECT TOKEN\" a line; best as a file")
}

func connectHook(o *options, c *generic.Config) {
	o.secretVar(&c.Secret, "ASIDE_HOOK_SECRET", "signs the webhook pair of any other chat tool, both ways")
	o.secretVar(&c.URL, "ASIDE_HOOK_URL", "where suggestions go, signed")
	o.secretVar(&c.ZendeskSecret, "ASIDE_HOOK_ZENDESK_SECRET", "that Zendesk signs its webhook with")
	o.secretVar(&c.IntercomSecret, "ASIDE_HOOK_INTERCOM_SECRET", "the client secret of the Intercom app")
}

func connectLibredesk(o *options, c *libredesk.Config) {
	o.StringVar(&c.URL, "libredesk-url", "", "`URL` of Libredesk, to suggest replies for its chats")
	o.fromEnv("libredesk-url", "ASIDE_LIBREDESK_URL")
	o.BoolVar(&c.Notes, "libredesk-notes", false, "post each suggestion there as a private note")
	o.fromEnv("libredesk-notes", "ASIDE_LIBREDESK_NOTES")
	o.BoolVar(&c.Typing, "libredesk-typing", false, "follow there who types")
	o.fromEnv("libredesk-typing", "ASIDE_LIBREDESK_TYPING")
	o.secretVar(&c.WebhookSecret, "ASIDE_LIBREDESK_WEBHOOK_SECRET", "that Libredesk signs its deliveries with")
	o.secretVar(&c.Key, "ASIDE_LIBREDESK_KEY", "key:secret of the agent Aside acts as, for notes and reading")
	o.secretVar(&c.Keys, "ASIDE_LIBREDESK_KEYS", "agents' own keys for their replies, one key:secret a line; best as a file")
	o.secretVar(&c.LinkSecret, "ASIDE_LIBREDESK_LINK_SECRET", "of the context link that signs agents in to the panel, 32 characters")
}

func signingIn(o *options, cfg *app.Config) {
	o.StringVar(&cfg.URL, "url", "", "`address` at which browsers reach this server, such as https://aside.example.com; needed for sign-in")
	o.fromEnv("url", "ASIDE_URL")
	o.StringVar(&cfg.OIDC.Issuer, "oidc-issuer", "", "`address` of the OpenID Connect provider that agents sign in with; without one they need tokens")
	o.fromEnv("oidc-issuer", "ASIDE_OIDC_ISSUER")
	o.StringVar(&cfg.OIDC.ClientID, "oidc-client-id", "", "`id` of Aside at the provider")
	o.fromEnv("oidc-client-id", "ASIDE_OIDC_CLIENT_ID")
	o.secretVar(&cfg.OIDC.ClientSecret, "ASIDE_OIDC_CLIENT_SECRET", "Aside's secret at the provider; none for a public client")
	o.StringVar(&cfg.OIDC.RoleClaim, "oidc-role-claim", "groups", "`claim` of the ID token that says who is what; realm_access.roles is one inside another")
	o.fromEnv("oidc-role-claim", "ASIDE_OIDC_ROLE_CLAIM")
	o.StringVar(&cfg.OIDC.Roles, "oidc-roles", "", "who may in, and as what: `value=role`,… with the roles agent, senior and lead; *=agent is everyone the provider signs in")
	o.fromEnv("oidc-roles", "ASIDE_OIDC_ROLES")
	o.Var((*list)(&cfg.OIDC.Scopes), "oidc-scopes", "`scopes` to ask the provider for, comma separated (default openid,profile,email)")
	o.fromEnv("oidc-scopes", "ASIDE_OIDC_SCOPES")
}
