package ws

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// presenceTopic is where nodes tell each other which agents look at what. No
// conversation can be called that.
const presenceTopic = "\x00presence"

const (
	beatEvery  = time.Second     // how often a node with agents says that it lives
	peerDiesIn = 4 * time.Second // after its last word
)

// told is one message between nodes. A node numbers those that change something;
// who missed one asks for everything.
type told struct {
	Node         string   `json:"node"`
	N            int64    `json:"n,omitempty"`            // changes so far, this one included
	Conversation string   `json:"conversation,omitempty"` // whose agents these are now
	Agents       []string `json:"agents,omitempty"`
	Afresh       bool     `json:"afresh,omitempty"` // forget what I said: it all follows
	Ask          string   `json:"ask,omitempty"`    // the node that should say everything afresh
}

// peers is what other nodes said. Server.mu guards it. The bus's goroutine only
// takes notes; the tender acts on them.
type peers struct {
	quit  func()
	nodes map[string]*peer
	dirty map[string]bool // conversations whose presence changed elsewhere
	ask   map[string]bool // nodes of which something was missed
	asked bool            // somebody missed something of ours
	n     int64           // changes said so far
	beat  time.Time
}

type peer struct {
	n      int64
	heard  time.Time
	agents map[string][]string // by conversation
}

func (p *peers) init() {
	p.nodes, p.dirty, p.ask = map[string]*peer{}, map[string]bool{}, map[string]bool{}
}

// moved tells everybody that an agent came to a conversation or left it.
func (s *Server) moved(conversation string) {
	s.mu.Lock()
	s.tell(told{Conversation: conversation, Agents: s.agentsHere(conversation)})
	s.mu.Unlock()
	s.showPresence(conversation)
}

// tell says a change to the other nodes. s.mu must be held: it keeps the order.
func (s *Server) tell(t told) {
	s.peers.n++
	t.Node, t.N = s.opts.Node, s.peers.n
	s.say(t)
}

func (s *Server) say(t told) {
	s.opts.Bus.Publish(presenceTopic, assist.NewEvent(assist.EventPresence, "", 0, t))
}

func (s *Server) agentsHere(conversation string) []string {
	names := []string{}
	for _, name := range s.present[conversation] {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// showPresence says to who looks here which agents look at a conversation, here
// and elsewhere.
func (s *Server) showPresence(conversation string) {
	s.mu.Lock()
	names := s.agentsHere(conversation)
	for _, p := range s.peers.nodes {
		names = append(names, p.agents[conversation]...)
	}
	s.mu.Unlock()
	slices.Sort(names)
	s.opts.Bus.Receive(conversation, assist.NewEvent(assist.EventPresence, conversation, 0, struct {
		Agents []string `json:"agents"`
	}{slices.Compact(names)}))
}

// WatchedElsewhere says whether an agent looks at a conversation through another
// node, as far as this one knows.
func (s *Server) WatchedElsewhere(conversation string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers.nodes {
		if len(p.agents[conversation]) > 0 {
			return true
		}
	}
	return false
}

// peerSaid takes note of what another node said. It publishes nothing.
func (s *Server) peerSaid(e assist.Event) {
	var t told
	if json.Unmarshal(e.Data, &t) != nil || t.Node == "" || t.Node == s.opts.Node {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peers.nodes[t.Node]
	if p == nil {
		p = &peer{agents: map[string][]string{}}
		s.peers.nodes[t.Node] = p
	}
	p.heard = time.Now()
	if t.Ask == s.opts.Node {
		s.peers.asked = true
	}
	switch {
	case t.Afresh:
		s.changed(p)
		p.n, p.agents = t.N, map[string][]string{}
	case t.Conversation == "" && t.N == p.n:
	case t.Conversation == "" || t.N != p.n+1:
		s.peers.ask[t.Node] = true
	default:
		p.n = t.N
		if p.agents[t.Conversation] = t.Agents; len(t.Agents) == 0 {
			delete(p.agents, t.Conversation)
		}
		if len(s.conns) > 0 {
			s.peers.dirty[t.Conversation] = true
		}
	}
}

// changed marks everything that a peer said as no longer so.
func (s *Server) changed(p *peer) {
	if len(s.conns) == 0 { // there is nobody to be told, and no tender
		return
	}
	for conversation := range p.agents {
		s.peers.dirty[conversation] = true
	}
}

// tendPeers is the tender's part: it says that this node lives, forgets those that
// do not, asks for what was missed and shows what changed.
func (s *Server) tendPeers(now time.Time) {
	s.mu.Lock()
	ps := &s.peers
	for name, p := range ps.nodes {
		if now.Sub(p.heard) > peerDiesIn {
			s.changed(p)
			delete(ps.nodes, name)
			delete(ps.ask, name)
		}
	}
	if now.Sub(ps.beat) >= beatEvery {
		ps.beat = now
		s.beat()
	}
	show := slices.Collect(maps.Keys(ps.dirty))
	clear(ps.dirty)
	s.mu.Unlock()
	for _, conversation := range show {
		s.showPresence(conversation)
	}
}

// beat says what is due once a second. s.mu must be held.
func (s *Server) beat() {
	ps := &s.peers
	if ps.asked {
		ps.asked = false
		s.tell(told{Afresh: true})
		for conversation := range s.present {
			s.tell(told{Conversation: conversation, Agents: s.agentsHere(conversation)})
		}
	}
	for name := range ps.ask {
		s.say(told{Node: s.opts.Node, N: ps.n, Ask: name})
	}
	clear(ps.ask)
	if len(s.present) > 0 {
		s.say(told{Node: s.opts.Node, N: ps.n})
	}
}
