package ingest

import (
	"errors"
	"fmt"

	"github.com/aside-project/aside/internal/assist"
)

// mediaTypes are the formats by the name they have over HTTP.
var mediaTypes = map[string]string{
	"text/markdown": ".md",
	"text/html":     ".html",
	"text/plain":    ".txt",
}

// Parse makes the one document of a body, under the given id whatever the body
// says of its id. The media type says which format it is in.
func Parse(id, mediaType string, body []byte, opt Options) (d assist.Document, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("it could not be parsed: %.200s", fmt.Sprint(v))
		}
	}()
	if opt.Audience == "" {
		opt.Audience = assist.AudienceInternal
	}
	ext, known := mediaTypes[mediaType]
	if !known {
		return d, fmt.Errorf("%q is not a format this server reads: send text/markdown, text/html or text/plain", mediaType)
	}
	text, err := decode(body)
	if err != nil {
		return d, err
	}
	f := file{path: id, source: "api", rel: id, id: id}
	docs, _, err := formats[ext](f, text)
	if err != nil {
		return d, err
	}
	if len(docs) != 1 {
		return d, errors.New("there is no document in it")
	}
	d = docs[0]
	d.ID = id
	return d, finish(&d, f, opt)
}
