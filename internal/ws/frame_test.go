package ws

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/assist"
)

func FuzzDecodeFrame(f *testing.F) {
	for _, s := range []string{`{"type":"turn.add","id":"c-17","conversation":"conv_1","data":{"role":"customer","text":"…"}}`,
		`{}`, `[]`, `null`, `{"type":"x","type":"y"}`, `{"type":"\u0000"}`, `{"id":"a\u0000"}`, strings.Repeat("[", 40), `{"type":"x","data":1e999}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, err := decodeFrame(b)
		if err != nil {
			if assist.CodeOf(err) != assist.Invalid || assist.MessageOf(err) == "" {
				t.Fatalf("%q: %v", b, err)
			}
			return
		}
		if fr.Type == "" || len(fr.ID) > 4*assist.MaxID {
			t.Fatalf("%q was accepted as %+v", b, fr)
		}
		if _, err := body[struct {
			Text string `json:"text"`
		}](fr); err != nil && assist.CodeOf(err) != assist.Invalid {
			t.Fatalf("%q: %v", b, err)
		}
	})
}

func TestEventFrame(t *testing.T) {
	e := assist.Event{Type: assist.EventTurnAdded, Conversation: `a"b`, Seq: 12, Data: json.RawMessage(`{"x":1}`)}
	want := `{"type":"turn.added","conversation":"a\"b","seq":12,"data":{"x":1}}`
	if got := string(appendEvent(nil, e, e.Data)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOutbox(t *testing.T) {
	o := outbox{limit: 1000, start: func() {}}
	frame := item{frame: make([]byte, 236)} // 300 with its overhead
	for i, want := range []bool{true, true, true, false} {
		if got := o.put(frame, false); got != want {
			t.Fatalf("put %d: %v, want %v", i, got, want)
		}
	}
	if !o.put(frame, true) || len(o.items) != 3 {
		t.Error("a lossy item beyond half was kept or cut the reader off")
	}
	for range 3 {
		if _, ok, _ := o.next(); !ok {
			t.Fatal("an item is missing")
		}
	}
	if _, ok, _ := o.next(); ok || o.bytes != 0 {
		t.Errorf("%d bytes are left", o.bytes)
	}
	if !o.put(item{frame: make([]byte, 5000)}, false) {
		t.Error("one large item alone does not fit")
	}
}
