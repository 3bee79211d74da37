package testkit

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Address gives an address of this machine for a server that is started there
// later, or again: nobody else gets it before the test ends. Its port is not one of
// those that the system gives to connections going out, and the UDP port of the same
// number, held until then, keeps other tests' processes from it.
func Address(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(15000))
		held, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			held.Close()
			continue
		}
		l.Close()
		t.Cleanup(func() { held.Close() })
		return address
	}
	t.Fatal("no port is free on 127.0.0.1")
	return ""
}
