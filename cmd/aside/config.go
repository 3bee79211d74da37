package main

import (
	"github.com/aside-project/aside/internal/app"
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
	o.StringVar(&cfg.Bot, "bot", "", "what the customer's bot does: off, suggest or `answer` (default: as bot.yaml beside the knowledge says, off without one)")
	o.fromEnv("bot", "ASIDE_BOT")
	o.secretVar(&cfg.WidgetSecret, "ASIDE_WIDGET_SECRET", "with it the site that hosts the widget signs who its customers are")
	o.StringVar(&cfg.Prompts, "prompts", "", "`folder` of prompt files instead of those built in")
	o.fromEnv("prompts", "ASIDE_PROMPTS")
	o.StringVar(&cfg.Rollout, "rollout", "", "write a `share` of the conversations with a variant, such as reply@short=10 (percent)")
	o.fromEnv("rollout", "ASIDE_ROLLOUT")
}
