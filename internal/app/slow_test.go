package app_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/app"
)

// TestSlowRequests holds that the real server waits for nobody: neither for a
// request that is never finished, nor for a body that never comes.
func TestSlowRequests(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the server's patience to end")
	}
	a, cfg := server(t, func(c *app.Config) { c.Hook.Secret = "a-secret-of-thirty-two-characters" })
	token := tokenOf(t, cfg, source)
	var all sync.WaitGroup
	for name, begins := range map[string]string{
		"nothing at all": "",
		"half a request": "GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: webs",
		"half a body":    "POST /v1/conversations/c/turns HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 1000\r\n\r\n{\"role\":",
		"half a webhook": "POST /v1/hooks/generic HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"id\":",
	} {
		all.Go(func() {
			conn, err := net.Dial("tcp", strings.TrimPrefix(a.URL(), "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, begins)
			if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Error(err)
			}
			said, err := io.ReadAll(conn)
			if err != nil || strings.HasPrefix(string(said), "HTTP/1.1 2") {
				t.Errorf("%s: %v %s", name, err, said)
			}
		})
	}
	all.Wait()
}
