// Package natsd runs a real NATS cluster inside the test process, which can be
// cut off and healed. Tests only.
package natsd

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/aside-project/aside/internal/testkit"
)

// Servers is a cluster on loopback.
type Servers struct {
	t       testing.TB
	token   string
	clients []int // ports
	routes  []int
	running []*server.Server
}

// Cluster starts n servers that know each other, until the test ends.
func Cluster(t testing.TB, n int) *Servers {
	t.Helper()
	return Guarded(t, n, "")
}

// Guarded is Cluster for those who know the token.
func Guarded(t testing.TB, n int, token string) *Servers {
	t.Helper()
	c := &Servers{t: t, token: token, clients: freePorts(t, n), routes: freePorts(t, n)}
	t.Cleanup(c.Cut)
	c.Heal()
	return c
}

// URL is where clients find server i, or all of them for -1.
func (c *Servers) URL(i int) string {
	if i >= 0 {
		return fmt.Sprintf("nats://127.0.0.1:%d", c.clients[i])
	}
	all := ""
	for i := range c.clients {
		if i > 0 {
			all += ","
		}
		all += c.URL(i)
	}
	return all
}

// Cut ends all servers: every connection is broken at once.
func (c *Servers) Cut() {
	for _, s := range c.running {
		s.Shutdown()
		s.WaitForShutdown()
	}
	c.running = nil
}

// Heal starts the servers again, at the same addresses, and waits until they know
// each other.
func (c *Servers) Heal() {
	c.t.Helper()
	for i := range c.clients {
		o := &server.Options{ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: c.clients[i], Authorization: c.token, NoSigs: true, NoLog: true,
			NoSystemAccount: false, DisableShortFirstPing: true}
		if len(c.clients) > 1 {
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: c.routes[i], PoolSize: -1}
			for j, port := range c.routes {
				if j != i {
					o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
				}
			}
		}
		s, err := server.NewServer(o)
		if err != nil {
			c.t.Fatalf("start NATS server %d: %v", i, err)
		}
		c.running = append(c.running, s)
		s.Start()
		if !s.ReadyForConnections(10 * time.Second) {
			c.t.Fatalf("NATS server %d does not answer", i)
		}
	}
	until := time.Now().Add(10 * time.Second)
	for _, s := range c.running {
		for s.NumRoutes() < len(c.running)-1 {
			if time.Now().After(until) {
				c.t.Fatalf("the NATS servers did not find each other: %d routes", s.NumRoutes())
			}
			time.Sleep(5 * time.Millisecond) // the server has no event for it
		}
	}
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		_, port, err := net.SplitHostPort(testkit.Address(t))
		if err != nil {
			t.Fatal(err)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, number)
	}
	return ports
}
