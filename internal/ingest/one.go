package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/aside-project/aside/internal/assist"
)

// mediaTypes are the formats by the name they have over HTTP.
var mediaTypes = map[string]string{
	"text/markdown":   ".md",
	"text/html":       ".html",
	"text/plain":      ".txt",
	"application/pdf": ".pdf",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}

const mediaNames = "text/markdown, text/html, text/plain, application/pdf or the type of a .docx"

// Parse makes the one document of a body, under the given id whatever the body
// says of its id. The media type says which format it is in. A PDF takes about a
// second more than others.
func Parse(ctx context.Context, id, mediaType string, body []byte, opt Options) (assist.Document, error) {
	if opt.Audience == "" {
		opt.Audience = assist.AudienceInternal
	}
	ext, known := mediaTypes[mediaType]
	if !known {
		return assist.Document{}, fmt.Errorf("%q is not a format this server reads: send %s", mediaType, mediaNames)
	}
	if err := checkSize(body); err != nil {
		return assist.Document{}, err
	}
	r := reader{opt: opt, as: id, pdf: &pdfReader{}}
	defer r.close()
	p := r.document(ctx, file{path: id, source: "api", rel: id, id: id}, ext, body)
	if p.err != nil {
		return assist.Document{}, p.err
	}
	for _, w := range p.warnings {
		if opt.Warn != nil {
			opt.Warn(id, w)
		}
	}
	if len(p.docs) != 1 {
		return assist.Document{}, errors.New("there is no document in it")
	}
	return p.docs[0], nil
}
