package scripted

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"io"
	"math"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// Vector is the embedding of a text: its words, hashed into dimension places and
// scaled to length one. Texts that share words are near each other; the same
// text always has the same vector.
func Vector(text string, dimension int) []float32 {
	v := make([]float32, dimension)
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if len(w) > 3 {
			w = strings.TrimSuffix(w, "s")
		}
		h := fnv.New64a()
		_, _ = io.WriteString(h, w)
		sum := h.Sum64()
		sign := float32(1)
		if sum>>63 == 1 {
			sign = -1
		}
		v[sum%uint64(dimension)] += sign
	}
	var length float64
	for _, x := range v {
		length += float64(x) * float64(x)
	}
	if length == 0 {
		v[0], length = 1, 1
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(length))
	}
	return v
}

func (h *Handler) embeddings(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Model    string          `json:"model"`
		Input    json.RawMessage `json:"input"`
		Encoding string          `json:"encoding_format"`
	}
	var texts []string
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || json.Unmarshal(q.Input, &texts) != nil {
		var one string
		if err != nil || json.Unmarshal(q.Input, &one) != nil {
			refuse(w, http.StatusBadRequest, "invalid_request_error", "input is neither a text nor a list of texts")
			return
		}
		texts = []string{one}
	}
	b := h.behaviour("embeddings", q.Model)
	if early(w, r, b) || !wait(r, time.Now().Add(b.FirstToken)) {
		return
	}
	type item struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"`
	}
	data, tokens := []item{}, 0
	for i, text := range texts {
		tokens += (len(text) + 3) / 4
		v := Vector(text, h.script.Dimension)
		it := item{"embedding", i, v}
		if q.Encoding == "base64" {
			raw := make([]byte, 0, 4*len(v))
			for _, x := range v {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
			}
			it.Embedding = base64.StdEncoding.EncodeToString(raw)
		}
		data = append(data, it)
	}
	reply(w, http.StatusOK, map[string]any{"object": "list", "model": q.Model, "data": data, "usage": map[string]int{"prompt_tokens": tokens, "total_tokens": tokens}})
}
