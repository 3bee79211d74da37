package web

import (
	"mime"
	"net/http"

	"github.com/aside-project/aside/internal/assist"
)

// maxDocumentBody bounds one uploaded document.
const maxDocumentBody = 20 << 20

// maxDocumentID bounds a document's id in bytes: a path or a URL fits.
const maxDocumentID = 1000

func documentID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	return id, checkID("document id", id, maxDocumentID)
}

func (s *server) putDocument(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.need(r, assist.ActorMaintainer); err != nil {
		return err
	}
	id, err := documentID(r)
	if err != nil {
		return err
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return assist.Errorf(assist.Invalid, "Content-Type is missing or malformed: Markdown, HTML, plain text, PDF and DOCX are understood; /docs has their types")
	}
	body, err := readBody(w, r, maxDocumentBody)
	if err != nil {
		return err
	}
	doc, change, err := s.Knowledge.Put(r.Context(), id, mediaType, body)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if change == assist.Added {
		status = http.StatusCreated
	}
	return writeJSON(w, status, struct {
		assist.Document
		Change   assist.Change `json:"change"`
		Passages int           `json:"passages"`
	}{doc, change, len(doc.Passages)})
}

func (s *server) document(w http.ResponseWriter, r *http.Request) error {
	who, err := s.reader(r)
	if err != nil {
		return err
	}
	id, err := documentID(r)
	if err != nil {
		return err
	}
	doc, err := s.Knowledge.Document(r.Context(), audienceOf(who), id)
	if err != nil {
		return err
	}
	if audienceOf(who) == assist.AudiencePublic {
		doc.Path = "" // where the file lies is ours
	}
	return writeJSON(w, http.StatusOK, struct {
		assist.Document
		Body string `json:"body"`
	}{doc, doc.Body})
}

func (s *server) deleteDocument(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.need(r, assist.ActorMaintainer); err != nil {
		return err
	}
	id, err := documentID(r)
	if err != nil {
		return err
	}
	if err := s.Knowledge.Delete(r.Context(), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) search(w http.ResponseWriter, r *http.Request) error {
	who, err := s.reader(r)
	if err != nil {
		return err
	}
	var q SearchQuery
	if err := readJSON(w, r, maxTurnBody, &q); err != nil {
		return err
	}
	if err := assist.CheckBody("text", q.Text); err != nil {
		return err
	}
	if q.Audience == "" {
		q.Audience = audienceOf(who)
	}
	if !q.Audience.Valid() {
		return assist.Errorf(assist.Invalid, "audience must be public or internal, not %.40q", q.Audience)
	}
	if q.Audience == assist.AudienceInternal && audienceOf(who) != assist.AudienceInternal {
		return assist.Errorf(assist.Forbidden, "a token of role %s may search public passages only", who.Actor)
	}
	if q.K < 0 || q.K > 50 {
		return assist.Errorf(assist.Invalid, "k must be 1 to 50, not %d", q.K)
	}
	result, err := s.Knowledge.Search(r.Context(), q)
	if err != nil {
		return err
	}
	if result.Hits == nil {
		result.Hits = []SearchHit{} // [] in JSON, never null
	}
	return writeJSON(w, http.StatusOK, result)
}

// reader is whoever may read all of the knowledge that their role may: not an agent
// whose token is for one conversation, who gets what belongs to it.
func (s *server) reader(r *http.Request) (assist.Identity, error) {
	who, err := s.identify(r)
	if err == nil && who.Actor == assist.ActorAgent && who.Conversation != "" {
		err = assist.Errorf(assist.Forbidden, "this token is for one conversation only, and not for the knowledge")
	}
	return who, err
}

// audienceOf says with whose eyes an identity reads: customers never see
// internal passages, and the database holds that as well.
func audienceOf(who assist.Identity) assist.Audience {
	switch who.Actor {
	case assist.ActorAgent, assist.ActorMaintainer, assist.ActorSource:
		return assist.AudienceInternal
	}
	return assist.AudiencePublic
}
