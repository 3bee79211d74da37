package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/connect/chatwoot"
	"github.com/aside-project/aside/internal/connect/generic"
	"github.com/aside-project/aside/internal/connect/libredesk"
	"github.com/aside-project/aside/internal/observe"
	"github.com/aside-project/aside/internal/prompt"
)

// Config is everything that can be set from outside. The zero value is not
// usable; Default gives one that is.
type Config struct {
	Listen    string // host:port of the server
	DataDir   string // of the private cluster and the development secret
	Database  string // connection URL; "": the private cluster in DataDir
	Public    string // connection URL of the public role; "": the main URL, changing role
	Read      string // connection URL of a streaming replica for retrieval; "": the database
	Schema    string // of our tables in the database
	Secret    string // signs tokens; "": one is made and kept in DataDir
	Origins   []string
	Proxies   []string // networks whose X-Forwarded-For is believed
	Knowledge string   // folder that `up` ingests instead of the sample company
	Prompts   string   // folder of prompt files instead of those built in
	Rollout   string   // variants and their percentage of the conversations: "reply@short=10"
	Demo      bool     // play recorded customers
	Dev       bool     // sign in whoever opens the console on this machine

	Bot          string // off, suggest or answer: overrides bot.yaml; "": as that says
	WidgetSecret string // with which the host's site signs who its customers are; "": they are anonymous

	NATS      string // connection URL of the bus between nodes; "": this is the only one
	NATSCreds string // file with the bus's user; "": what stands in the URL

	Libredesk libredesk.Config
	Chatwoot  chatwoot.Config
	Hook      generic.Config

	URL         string // where browsers reach the server; needed for OIDC
	OIDC        OIDC
	PanelSecret string // with which a chat tool's server signs who its agents are; "": nobody may

	Model    Endpoint
	Embedder Endpoint

	Price  observe.Price // of the chat model, for metrics
	Traces bool          // send them as the OTEL_* variables say
	Debug  string        // host:port on this machine where profiles are served; "": nowhere

	Seal string // a head of the record's seals, kept elsewhere, that the doctor looks for

	LogLevel  string // debug, info, warn, error
	LogFormat string // text, json
	StopWait  time.Duration
}

// Endpoint is an OpenAI-compatible server; without a Model it is not used.
type Endpoint struct {
	BaseURL   string
	APIKey    string
	Model     string
	AllowHTTP bool // plain http to other machines too
}

// On reports whether the endpoint is configured.
func (e Endpoint) On() bool { return e.Model != "" }

// Default is the configuration of `aside up` with nothing set.
func Default() Config {
	return Config{
		Listen:    "127.0.0.1:7400",
		DataDir:   ".aside",
		Schema:    "aside",
		LogLevel:  "info",
		LogFormat: "text",
		StopWait:  8 * time.Second,
	}
}

// Validate names every fault at once.
func (c Config) Validate() error {
	var faults []error
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || !isPort(port) {
		faults = append(faults, fmt.Errorf("--listen (ASIDE_LISTEN) must be host:port, such as 127.0.0.1:7400, not %q", c.Listen))
	}
	if c.Database == "" && c.DataDir == "" {
		faults = append(faults, errors.New("--data-dir (ASIDE_DATA_DIR) is empty and ASIDE_DATABASE_URL is not set: one of them is needed"))
	}
	if c.Secret != "" && len(c.Secret) < 32 {
		faults = append(faults, errors.New("ASIDE_SECRET must be at least 32 bytes: `openssl rand -hex 32` makes one"))
	}
	if c.Public != "" && c.Database == "" {
		faults = append(faults, errors.New("ASIDE_DATABASE_PUBLIC_URL is set but ASIDE_DATABASE_URL is not: both name the same database"))
	}
	if c.Read != "" && c.Database == "" {
		faults = append(faults, errors.New("ASIDE_DATABASE_READ_URL is set but ASIDE_DATABASE_URL is not: name the database that it is a replica of"))
	}
	for _, e := range []struct {
		name string
		Endpoint
	}{{"ASIDE_LLM", c.Model}, {"ASIDE_EMBED", c.Embedder}} {
		if e.BaseURL != "" && e.Model == "" {
			faults = append(faults, fmt.Errorf("%s_BASE_URL is set but %s_MODEL is not: name the model that server should use", e.name, e.name))
		}
	}
	if c.NATS != "" && (c.Secret == "" || c.Database == "") {
		faults = append(faults, errors.New("ASIDE_NATS_URL is set, but several nodes need one database and one secret: set ASIDE_DATABASE_URL and ASIDE_SECRET, the same for all"))
	}
	if c.NATSCreds != "" && c.NATS == "" {
		faults = append(faults, errors.New("ASIDE_NATS_CREDS is set but ASIDE_NATS_URL is not: name the cluster, such as tls://nats:4222"))
	}
	if _, err := prompt.ParseRollout(c.Rollout); err != nil {
		faults = append(faults, fmt.Errorf("--rollout (ASIDE_ROLLOUT): %w", err))
	}
	faults = append(faults, c.Libredesk.Validate(), c.Chatwoot.Validate(), c.Hook.Validate())
	for _, o := range c.Origins {
		if !strings.HasPrefix(o, "http://") && !strings.HasPrefix(o, "https://") {
			faults = append(faults, fmt.Errorf("--origins (ASIDE_ORIGINS): %q must start with http:// or https://", o))
		}
	}
	if _, err := c.proxies(); err != nil {
		faults = append(faults, err)
	}
	if c.Debug != "" {
		if host, _, err := net.SplitHostPort(c.Debug); err != nil || !isLoopback(host) {
			faults = append(faults, fmt.Errorf("--debug-listen (ASIDE_DEBUG_LISTEN) must be host:port of this machine only, such as 127.0.0.1:6060, not %q: profiles show what memory holds", c.Debug))
		}
	}
	switch c.Bot {
	case "", "off", "suggest", "answer":
	default:
		faults = append(faults, fmt.Errorf("--bot (ASIDE_BOT) must be off, suggest or answer, not %q", c.Bot))
	}
	if c.WidgetSecret != "" && len(c.WidgetSecret) < 32 {
		faults = append(faults, errors.New("ASIDE_WIDGET_SECRET must be at least 32 bytes: `openssl rand -hex 32` makes one"))
	}
	if err := c.validateSignIn(); err != nil {
		faults = append(faults, err)
	}
	if c.PanelSecret != "" && len(c.PanelSecret) < 32 {
		faults = append(faults, errors.New("ASIDE_PANEL_SECRET must be at least 32 bytes: `openssl rand -hex 32` makes one"))
	}
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		faults = append(faults, fmt.Errorf("--log-level (ASIDE_LOG_LEVEL) must be debug, info, warn or error, not %q", c.LogLevel))
	}
	switch c.LogFormat {
	case "text", "json":
	default:
		faults = append(faults, fmt.Errorf("--log-format (ASIDE_LOG_FORMAT) must be text or json, not %q", c.LogFormat))
	}
	return errors.Join(faults...)
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// secretFile keeps the secret of development.
func (c Config) secretFile() string { return filepath.Join(c.DataDir, "secret") }

// proxies reads the networks of Proxies.
func (c Config) proxies() (networks []netip.Prefix, err error) {
	for _, p := range c.Proxies {
		n, err := netip.ParsePrefix(p)
		if at, aerr := netip.ParseAddr(p); aerr == nil {
			n, err = at.Unmap().Prefix(at.Unmap().BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies (ASIDE_TRUSTED_PROXIES): %q must be an address or a network, such as 10.0.0.0/8", p)
		}
		networks = append(networks, n.Masked())
	}
	return networks, nil
}
