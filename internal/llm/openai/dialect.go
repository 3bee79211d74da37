package openai

import (
	"encoding/json"
	"errors"
	"math"
	"strings"

	openai "github.com/sashabaranov/go-openai"

	"github.com/aside-project/aside/internal/llm"
)

// dialect is what a server understands. It starts with all and only loses: a
// refusal takes one thing away for the next try, and what worked is remembered.
type dialect struct {
	noSchema      bool
	noObject      bool
	noUsage       bool // stream_options
	noTemperature bool
	newMaxTokens  bool // max_completion_tokens instead of max_tokens
}

// and keeps what both can do without.
func (d dialect) and(o dialect) dialect {
	return dialect{
		noSchema:      d.noSchema || o.noSchema,
		noObject:      d.noObject || o.noObject,
		noUsage:       d.noUsage || o.noUsage,
		noTemperature: d.noTemperature || o.noTemperature,
		newMaxTokens:  d.newMaxTokens || o.newMaxTokens,
	}
}

// format is what d can promise for a request.
func (d dialect) format(r llm.Request) llm.Format {
	switch {
	case len(r.Schema) == 0 || d.noSchema && d.noObject:
		return llm.FormatText
	case d.noSchema:
		return llm.FormatObject
	}
	return llm.FormatSchema
}

// without takes away what a refusal complains about; false when it complains
// about nothing that could be left out. A server may name its complaint badly,
// so that the format is what a vague one is taken to be about.
func (d dialect) without(err error, r llm.Request) (dialect, bool) {
	switch {
	case errors.Is(err, openai.ErrReasoningModelMaxTokensDeprecated) && !d.newMaxTokens:
		d.newMaxTokens = true
		return d, true
	case (errors.Is(err, openai.ErrReasoningModelLimitationsOther) || errors.Is(err, openai.ErrReasoningSamplingUnsupported)) && !d.noTemperature:
		d.noTemperature = true
		return d, true
	}
	var f *fault
	if !errors.As(err, &f) || f.said == "" {
		return d, false
	}
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(f.said, w) {
				return true
			}
		}
		return false
	}
	switch formatted := d.format(r) != llm.FormatText; {
	case has("stream_options", "include_usage") && !d.noUsage:
		d.noUsage = true
	case has("max_completion_tokens") && !d.newMaxTokens && r.MaxTokens > 0:
		d.newMaxTokens = true
	case has("response_format", "json_schema", "json_object", "grammar", "structured output") && formatted:
		d.looser()
	case has("temperature") && !d.noTemperature:
		d.noTemperature = true
	case errors.Is(f, llm.ErrDown): // a server that fails complains about nothing in particular
		return d, false
	case has("unsupported", "not supported", "unrecognized", "unknown", "not permitted", "not implemented", "extra_forbidden") && formatted:
		d.looser()
	default:
		return d, false
	}
	return d, true
}

func (d *dialect) looser() {
	if d.noSchema {
		d.noObject = true
	}
	d.noSchema = true
}

// maxSteps bounds the tries by which a dialect is learned: one per field.
const maxSteps = 5

// request writes r in the dialect.
func (d dialect) request(model string, r llm.Request) openai.ChatCompletionRequest {
	out := openai.ChatCompletionRequest{Model: model, Stream: true}
	if !d.noTemperature {
		// go-openai leaves out a zero, which would mean the server's default.
		out.Temperature = max(float32(r.Temperature), math.SmallestNonzeroFloat32)
	}
	if d.newMaxTokens {
		out.MaxCompletionTokens = r.MaxTokens
	} else {
		out.MaxTokens = r.MaxTokens //lint:ignore SA1019 most servers know no other name
	}
	if !d.noUsage {
		out.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	}
	out.Messages = make([]openai.ChatCompletionMessage, len(r.Messages))
	for i, m := range r.Messages {
		out.Messages[i] = openai.ChatCompletionMessage{Role: m.Role, Content: m.Content}
	}
	switch d.format(r) {
	case llm.FormatSchema:
		name := r.SchemaName
		if name == "" {
			name = "answer"
		}
		out.ResponseFormat = &openai.ChatCompletionResponseFormat{
			Type:       openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{Name: name, Schema: r.Schema, Strict: true},
		}
	case llm.FormatObject:
		out.ResponseFormat = &openai.ChatCompletionResponseFormat{Type: openai.ChatCompletionResponseFormatTypeJSONObject}
		askForSchema(out.Messages, r.Schema)
	case llm.FormatText:
		if len(r.Schema) > 0 {
			askForSchema(out.Messages, r.Schema)
		}
	}
	return out
}

// askForSchema tells a model in words what its server will not hold it to. The
// words join the first message: it stays the same from call to call, and some
// servers refuse a second system message.
func askForSchema(messages []openai.ChatCompletionMessage, schema json.RawMessage) {
	if len(messages) > 0 {
		messages[0].Content += "\n\nAnswer with one JSON object of this JSON schema and with nothing else:\n" + string(schema)
	}
}
