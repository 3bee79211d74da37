package chatwoot

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aside-project/aside/internal/connect"
)

// The bounds of one reading of Chatwoot's record.
const (
	mostPages  = 4              // of 25 conversations, most active first
	mostChats  = 50             // whose messages are read
	reachesFor = 24 * time.Hour // older ones are left as they are
)

// reconcile reads what was missed, soon after the start and every few minutes. Of
// several processes one does it; after a start each does, since what came while it
// was down may not wait for the next time.
func (t *Tool) reconcile() {
	wait := time.NewTimer(time.Second)
	defer wait.Stop()
	for started := true; ; started = false {
		select {
		case <-t.ctx.Done():
			return
		case <-wait.C:
			wait.Reset(t.o.Reconcile + rand.N(t.o.Reconcile/10+1))
		}
		slot := fmt.Sprintf("reconcile:%d", t.o.Now().UnixNano()/int64(t.o.Reconcile))
		if first, err := t.marks.Once(t.ctx, Name, slot); err != nil || !first && !started {
			continue
		}
		if err := t.catchUp(t.ctx); err != nil && t.ctx.Err() == nil {
			t.log.Warn("Chatwoot's record could not be read; what was missed is found the next time", "error", err)
		}
	}
}

// catchUp reads the conversations that were active lately, and of those with messages
// that never came their newest. Statuses are followed too.
func (t *Tool) catchUp(ctx context.Context) error {
	left := mostChats
	for page := 1; page <= mostPages; page++ {
		var list struct {
			Data struct {
				Payload []conversation `json:"payload"`
			} `json:"data"`
		}
		err := t.client.Do(ctx, connect.Call{Method: "GET", Header: token(t.cfg.Token), Into: &list, Again: true, Paced: true,
			Path: fmt.Sprintf("/api/v1/accounts/%d/conversations?status=all&assignee_type=all&sort_by=last_activity_at_desc&page=%d", t.cfg.Account, page)})
		if err != nil {
			return err
		}
		for _, c := range list.Data.Payload {
			if c.ID <= 0 || t.o.Now().Sub(orTime(c.Active.Time, c.at())) > reachesFor {
				continue
			}
			if left == 0 {
				return nil
			}
			read, err := t.catchUpOn(ctx, c)
			if err != nil {
				return err
			}
			if read {
				left--
			}
		}
		if len(list.Data.Payload) < 25 {
			return nil
		}
	}
	return nil
}

func (t *Tool) catchUpOn(ctx context.Context, c conversation) (read bool, err error) {
	id := idOf(t.cfg.Account, c.ID)
	status, last, err := t.store.ToolChat(ctx, id)
	if err != nil {
		return false, err
	}
	newest := int64(0)
	for _, m := range c.Messages {
		newest = max(newest, m.ID)
	}
	ours := last > 0 // a pending one of which nothing ever came is another bot's
	if newest == 0 || newest > last {
		var page messagePage
		path := t.path(c.ID, "/messages")
		if last > 0 {
			path += fmt.Sprintf("?after=%d", last)
		}
		if err := t.client.Do(ctx, connect.Call{Method: "GET", Path: path, Header: token(t.cfg.Token), Into: &page, Again: true, Paced: true}); err != nil {
			return true, err
		}
		for _, m := range page.Payload {
			if _, err := t.inbox.Put(connect.Delivery{Conversation: id, ID: m.ID, At: m.CreatedAt.Time,
				Do: func(ctx context.Context) error { return t.message(ctx, m, c, ours) }}); err != nil {
				return true, err
			}
		}
		read = true
	}
	if status != c.Status {
		_, err = t.inbox.Put(connect.Delivery{Conversation: id, At: orTime(c.at(), t.o.Now()), Do: func(ctx context.Context) error { return t.status(ctx, c) }})
	}
	return read, err
}
