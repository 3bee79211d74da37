// Command go is a small client of Aside: it reports what a customer wrote, as a
// chat tool does, shows an agent the suggestion, and sends what the agent made of
// it. Take it as a start of your own.
//
//	export ASIDE_SERVER=http://127.0.0.1:7400
//	export ASIDE_SOURCE_TOKEN=$(aside token --role source)
//	export ASIDE_AGENT_TOKEN=$(aside token --role agent --name Ada)
//	go run ./deploy/examples/go conv_1 "When do I get my refund?"
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/gorilla/websocket"
)

// object is JSON that goes out.
type object map[string]any

// frame is what comes in over the WebSocket.
type frame struct {
	Type, ID string
	Data     json.RawMessage
	Error    *struct{ Code, Message string }
}

// suggestion is the part of it that an agent sees here.
type suggestion struct {
	ID     string
	ForSeq int64 `json:"for_seq"`
	Draft  *struct{ Text string }
	Hits   []struct{ Title, Quote string }
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: go CONVERSATION TEXT")
	}
	if err := run(os.Getenv("ASIDE_SERVER"), os.Args[1], os.Args[2], os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(server, conversation, text string, agent io.Reader, out io.Writer) error {
	head := http.Header{"Authorization": {"Bearer " + os.Getenv("ASIDE_AGENT_TOKEN")}}
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server, "http")+"/v1/ws", head)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer ws.Close()
	// Kept events are replayed after the last seq we saw; 0 is from the start.
	if err := ws.WriteJSON(object{"type": "conversation.open", "id": "open", "conversation": conversation, "data": object{"after": 0}}); err != nil {
		return err
	}
	asked, err := report(server, conversation, text)
	if err != nil {
		return err
	}
	for {
		var f frame
		if err := ws.ReadJSON(&f); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		switch {
		case f.Error != nil:
			return fmt.Errorf("%s: %s", f.Error.Code, f.Error.Message)
		case f.Type == "ack" && f.ID == "reply":
			fmt.Fprintln(out, "sent")
			return nil
		case f.Type == "suggestion.ready" || f.Type == "suggestion.abstained" || f.Type == "suggestion.failed":
			var s suggestion
			if err := json.Unmarshal(f.Data, &s); err != nil {
				return err
			}
			if s.ForSeq < asked {
				continue // of an earlier turn: it was replayed
			}
			show(out, s)
			fmt.Fprint(out, "Your reply, in one line: ")
			line, err := bufio.NewReader(agent).ReadString('\n') // the agent's own words; Aside sends nothing by itself
			if err != nil {
				return err
			}
			reply := object{"text": strings.TrimSpace(line), "suggestion_id": s.ID}
			if err := ws.WriteJSON(object{"type": "reply.send", "id": "reply", "conversation": conversation, "data": reply}); err != nil {
				return err
			}
		}
	}
}

// report tells Aside what the customer wrote and gives its seq. Without an answer
// it may be sent again: the same external_id is the same turn.
func report(server, conversation, text string) (int64, error) {
	body, err := json.Marshal(object{"role": "customer", "text": text, "external_id": "example-1"})
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequest("POST", server+"/v1/conversations/"+conversation+"/turns", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv("ASIDE_SOURCE_TOKEN"))
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var answer struct {
		Seq    int64
		Detail string
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusCreated {
		return 0, fmt.Errorf("report: %s %s %v", res.Status, answer.Detail, err)
	}
	return answer.Seq, nil
}

func show(out io.Writer, s suggestion) {
	for i, h := range s.Hits {
		fmt.Fprintf(out, "[%d] %s: %s\n", i+1, h.Title, h.Quote)
	}
	if s.Draft != nil {
		fmt.Fprintf(out, "\n%s\n\n", s.Draft.Text)
	}
}
