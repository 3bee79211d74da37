package ws

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// frame is what a client sends.
type frame struct {
	Type         string          `json:"type"`
	ID           string          `json:"id"`
	Conversation string          `json:"conversation"`
	Data         json.RawMessage `json:"data"`
}

// decodeFrame reads the envelope. Unknown fields are tolerated. What could be
// read of id comes back also with an error, so that it can be named.
func decodeFrame(b []byte) (frame, error) {
	var f frame
	if assist.TooDeep(b) {
		return f, assist.Errorf(assist.Invalid, "the frame nests deeper than %d levels", assist.MaxDepth)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, assist.Wrap(err, assist.Invalid, "the frame is not a JSON object of the form {\"type\":…, \"id\":…, \"conversation\":…, \"data\":{…}}")
	}
	if err := assist.CheckText("id", f.ID, assist.MaxID); err != nil {
		f.ID = ""
		return f, err
	}
	if f.Type == "" {
		return f, assist.Errorf(assist.Invalid, "type is missing: it must be one of %s", knownTypes)
	}
	return f, nil
}

// body decodes a frame's data, and names the field that is wrong.
func body[T any](f frame) (T, error) {
	var v T
	if len(f.Data) == 0 {
		return v, nil
	}
	err := json.Unmarshal(f.Data, &v)
	var wrong *json.UnmarshalTypeError
	var at *time.ParseError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return v, assist.Wrap(err, assist.Invalid, "data.%s of %s has the wrong type: it is a %s", wrong.Field, f.Type, wrong.Value)
	case errors.As(err, &at):
		return v, assist.Wrap(err, assist.Invalid, "data.at of %s must be a time like 2026-11-22T10:00:00Z", f.Type)
	case err != nil:
		return v, assist.Wrap(err, assist.Invalid, "data of %s must be an object", f.Type)
	}
	return v, nil
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // only values of this package, which all can be encoded
		b, _ = json.Marshal(errorFrame{Type: "error", Error: errorBody{assist.Internal, assist.MessageOf(err)}})
	}
	return b
}

type ackFrame struct {
	Type         string `json:"type"`
	ID           string `json:"id,omitempty"`
	Conversation string `json:"conversation,omitempty"`
	Data         any    `json:"data"`
}

type errorFrame struct {
	Type         string    `json:"type"`
	ID           string    `json:"id,omitempty"`
	Conversation string    `json:"conversation,omitempty"`
	Error        errorBody `json:"error"`
}

type errorBody struct {
	Code    assist.Code `json:"code"`
	Message string      `json:"message"`
}

type seqAck struct {
	Seq    int64 `json:"seq"`
	Repeat bool  `json:"repeat,omitempty"`
}

type openAck struct {
	Seq    int64         `json:"seq"`
	Status assist.Status `json:"status,omitempty"`
}

type welcome struct {
	Type string `json:"type"`
	Data struct {
		Session    string    `json:"session"`
		ServerTime time.Time `json:"server_time"`
		Limits     struct {
			FrameBytes    int     `json:"frame_bytes"`
			TextChars     int     `json:"text_chars"`
			RatePerSecond float64 `json:"rate_per_second"`
			Burst         int     `json:"burst"`
			QueueBytes    int     `json:"queue_bytes"`
		} `json:"limits"`
	} `json:"data"`
}

// appendEvent writes an event as a frame around data, which is encoded already.
func appendEvent(b []byte, e assist.Event, data json.RawMessage) []byte {
	b = append(b, `{"type":"`...)
	b = append(b, e.Type...)
	b = append(b, `","conversation":`...)
	b = append(b, encode(e.Conversation)...)
	if e.Seq > 0 {
		b = append(b, `,"seq":`...)
		b = strconv.AppendInt(b, e.Seq, 10)
	}
	b = append(b, `,"data":`...)
	b = append(b, data...)
	return append(b, '}')
}
