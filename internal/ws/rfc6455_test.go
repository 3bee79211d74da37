package ws_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/ws"
)

// raw is a WebSocket without a library, so that it can do what none would.
type raw struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func (h *house) raw(t *testing.T) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.http.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &raw{t, conn, bufio.NewReader(conn)}
	fmt.Fprintf(conn, "GET /v1/ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", h.token(agent, time.Hour))
	res, err := http.ReadResponse(c.in, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", res, err)
	}
	if ext := res.Header.Get("Sec-WebSocket-Extensions"); ext != "" {
		t.Errorf("the server agreed to %q: inflated sizes are not bounded", ext)
	}
	if op, b, err := c.frame(); op != 1 || err != nil || !bytes.Contains(b, []byte(`"welcome"`)) {
		t.Fatalf("first frame %d %s %v", op, b, err)
	}
	return c
}

// frame reads one whole frame of the server, which must be well-formed.
func (c *raw) frame() (op byte, data []byte, err error) {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, nil, err
	}
	head := make([]byte, 2)
	if _, err := io.ReadFull(c.in, head); err != nil {
		return 0, nil, err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		c.t.Errorf("the server sent the header %x: fragmented, reserved bits or masked", head)
	}
	n := uint64(head[1])
	switch n {
	case 126:
		b := make([]byte, 2)
		_, err = io.ReadFull(c.in, b)
		n = uint64(binary.BigEndian.Uint16(b))
	case 127:
		b := make([]byte, 8)
		_, err = io.ReadFull(c.in, b)
		n = binary.BigEndian.Uint64(b)
	}
	if err != nil {
		return 0, nil, err
	}
	data = make([]byte, n)
	_, err = io.ReadFull(c.in, data)
	return head[0] & 0x0f, data, err
}

// fr makes a client's frame: fin and reserved bits with the opcode in first.
func fr(first byte, payload string) []byte { return frLen(first, uint64(len(payload)), payload) }

// frLen announces another length than the payload has.
func frLen(first byte, n uint64, payload string) []byte {
	b := []byte{first}
	switch {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), n)
	}
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

func unmasked(first byte, payload string) []byte {
	return append([]byte{first, byte(len(payload))}, payload...)
}

func all(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

const (
	fin  = 0x80
	text = 1
	bin  = 2
	cont = 0
	shut = 8
	ping = 9
	pong = 10
)

func closing(code uint16, reason string) []byte {
	return fr(fin|shut, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

// TestRFC6455 plays the cases of the Autobahn test suite, by their numbers, that
// can be told from outside, on a connection without a library. Where the protocol
// page names a close code of its own, that takes the place of the RFC's: 4400 for
// 1003 and 1007, 4413 for 1009. "dropped" is a connection that ends without one.
func TestRFC6455(t *testing.T) {
	h := open(t, func(o *ws.Options) { o.Limits.FrameBytes = 64 << 10 })
	h.turns("conv_1", 0, 1)
	ask := `{"type":"typing","id":"i","conversation":"conv_1","data":{"text":"κόσμε"}}`
	pad := func(n int) string { // a message of n bytes
		const shell = `{"type":"typing","id":"i","conversation":"conv_1","data":{"x":""}}`
		return strings.Replace(shell, `""`, `"`+strings.Repeat("*", n-len(shell))+`"`, 1)
	}
	in := func(s string, sizes ...int) []byte { // fragments of the sizes, then the rest
		var out []byte
		first := byte(text)
		for _, n := range sizes {
			out = append(out, fr(first, s[:n])...)
			s, first = s[n:], cont
		}
		return append(out, fr(fin|cont, s)...)
	}
	bytewise := make([]int, len(ask)-1)
	for i := range bytewise {
		bytewise[i] = 1
	}
	const ack, ponged, dropped = "ack", "pong", "dropped"
	bad := func(s string) []byte { return fr(fin|text, `{"type":"typing","id":"i","data":{"text":"`+s+`"}}`) }
	for _, c := range []struct {
		name string
		send []byte
		want string // ack, error, pong and its payload, close and its code, dropped
	}{
		{"1.1.1 empty text", fr(fin|text, ""), "error"},
		{"1.1.2 125 bytes", fr(fin|text, pad(125)), ack},
		{"1.1.3 126 bytes", fr(fin|text, pad(126)), ack},
		{"1.1.4 127 bytes", fr(fin|text, pad(127)), ack},
		{"1.1.5 128 bytes", fr(fin|text, pad(128)), ack},
		{"1.1.6 65535 bytes", fr(fin|text, pad(65535)), ack},
		{"1.1.7 65536 bytes", fr(fin|text, pad(65536)), ack},
		{"1.1.8 one byte more than the limit", fr(fin|text, pad(65537)), "close 4413"},
		{"1.2.1 binary", fr(fin|bin, ""), "close 4400"},
		{"1.2.8 much binary", fr(fin|bin, strings.Repeat("x", 65536)), "close 4400"},
		{"2.1 ping", fr(fin|ping, ""), ponged},
		{"2.2 ping with payload", fr(fin|ping, "Hello, world!"), ponged + " Hello, world!"},
		{"2.3 ping with bytes", fr(fin|ping, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), ponged + " \x00\xff\xfe\xfd\xfc\xfb\x00\xff"},
		{"2.4 ping of 125", fr(fin|ping, strings.Repeat("\xfe", 125)), ponged + " " + strings.Repeat("\xfe", 125)},
		{"2.5 ping of 126", fr(fin|ping, strings.Repeat("\xfe", 126)), "close 1002"},
		{"2.7 unsolicited pong", all(fr(fin|pong, ""), fr(fin|text, ask)), ack},
		{"2.8 unsolicited pong with payload", all(fr(fin|pong, "unsolicited"), fr(fin|text, ask)), ack},
		{"2.9 pong, then ping", all(fr(fin|pong, "unsolicited"), fr(fin|ping, "real")), ponged + " real"},
		{"2.10 ten pings", bytes.Repeat(fr(fin|ping, "p"), 10), ponged + " p"},
		{"3.1 RSV3", fr(fin|0x10|text, ask), "close 1002"},
		{"3.2 RSV2 after a good one", all(fr(fin|0x20|text, ask)), "close 1002"},
		{"3.3 RSV2 and 3", fr(fin|0x30|text, ask), "close 1002"},
		{"3.4 RSV1: compressed", fr(fin|0x40|text, ask), "close 1002"},
		{"3.5 RSV1 and 3, binary", fr(fin|0x50|bin, ask), "close 1002"},
		{"3.6 RSV1 and 2 in a ping", fr(fin|0x60|ping, ask), "close 1002"},
		{"3.7 RSV in a close", fr(fin|0x70|shut, ""), "close 1002"},
		{"4.1.1 opcode 3", fr(fin|3, ""), "close 1002"},
		{"4.1.2 opcode 4", fr(fin|4, "reserved"), "close 1002"},
		{"4.1.3 opcode 5", fr(fin|5, ""), "close 1002"},
		{"4.1.4 opcode 6", fr(fin|6, "x"), "close 1002"},
		{"4.1.5 opcode 7", fr(fin|7, ""), "close 1002"},
		{"4.2.1 opcode 11", fr(fin|11, ""), "close 1002"},
		{"4.2.2 opcode 12", fr(fin|12, "reserved"), "close 1002"},
		{"4.2.3 opcode 13", fr(fin|13, ""), "close 1002"},
		{"4.2.4 opcode 14", fr(fin|14, "x"), "close 1002"},
		{"4.2.5 opcode 15", fr(fin|15, ""), "close 1002"},
		{"5.1 fragmented ping", all(fr(ping, "frag"), fr(fin|cont, "ment")), "close 1002"},
		{"5.2 fragmented pong", all(fr(pong, "frag"), fr(fin|cont, "ment")), "close 1002"},
		{"5.3 two fragments", in(ask, 10), ack},
		{"5.4 three fragments", in(ask, 10, 10), ack},
		{"5.5 a byte each", in(ask, bytewise...), ack},
		{"5.6 ping in the middle", all(fr(text, ask[:9]), fr(fin|ping, "mid"), fr(fin|cont, ask[9:])), ponged + " mid"},
		{"5.7 ping in the middle, then the message", all(fr(text, ask[:9]), fr(fin|ping, "mid"), fr(fin|cont, ask[9:])), ack},
		{"5.9 continuation of nothing", all(fr(fin|cont, "x"), fr(fin|text, ask)), "close 1002"},
		{"5.12 unfinished continuation of nothing", fr(cont, "x"), "close 1002"},
		{"5.15 continuation after the end", all(in(ask, 9), fr(cont, "x"), fr(fin|text, ask)), "close 1002"},
		{"5.18 text inside text", all(fr(text, ask[:9]), fr(fin|text, ask)), "close 1002"},
		{"5.19 empty fragments", all(fr(text, ""), fr(cont, ""), fr(cont, ask), fr(fin|cont, "")), ack},
		{"5.20 fragments past the limit", all(fr(text, strings.Repeat("x", 40<<10)), fr(cont, strings.Repeat("x", 40<<10))), "close 4413"},
		{"6.1.3 empty middle", all(fr(text, ask[:9]), fr(cont, ""), fr(fin|cont, ask[9:])), ack},
		{"6.2.2 split in a character", in(ask, strings.Index(ask, "ό")+1), ack},
		{"6.3.1 invalid UTF-8", bad("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"), "close 4400"},
		{"6.3.2 invalid UTF-8, split", in(`{"type":"x","id":"`+"\xed\xa0\x80"+`"}`, 19), "close 4400"},
		{"6.4.1 invalid at the end", all(fr(text, ask[:9]), fr(fin|cont, "\xf4\x90\x80\x80")), "close 4400"},
		{"6.6.1 cut character", bad("\xce"), "close 4400"},
		{"6.8.1 five bytes", bad("\xf8\x88\x80\x80\x80"), "close 4400"},
		{"6.10.1 above U+10FFFF", bad("\xf7\xbf\xbf\xbf"), "close 4400"},
		{"6.11.1 the last before the surrogates", bad("\xed\x9f\xbf"), "error"}, // no conversation: read, and answered
		{"6.13.1 lone continuation", bad("\x80"), "close 4400"},
		{"6.15.1 two starts", bad("\xc0 \xc1 "), "close 4400"},
		{"6.18.1 overlong solidus", bad("\xc0\xaf"), "close 4400"},
		{"6.20.1 high surrogate", bad("\xed\xa0\x80"), "close 4400"},
		{"6.22.1 a noncharacter is a character", bad("\xef\xbf\xbe"), "error"},
		{"7.1.1 message, then close", all(fr(fin|text, ask), closing(1000, "")), "close 1000"},
		{"7.1.2 close twice", all(closing(1000, ""), closing(1000, "")), "close 1000"},
		{"7.1.3 ping after close", all(closing(1000, ""), fr(fin|ping, "late")), "close 1000"},
		{"7.1.4 text after close", all(closing(1000, ""), fr(fin|text, ask)), "close 1000"},
		{"7.3.1 close without a code", fr(fin|shut, ""), "close"},
		{"7.3.2 close with half a code", fr(fin|shut, "\x03"), "close"},
		{"7.3.5 close with a reason of 123", closing(1000, strings.Repeat("*", 123)), "close 1000"},
		{"7.3.6 close with a reason of 124", closing(1000, strings.Repeat("*", 124)), "close 1002"},
		{"7.5.1 close with invalid UTF-8", closing(1000, "\xce\xba\xed\xa0\x80"), "close 1002"},
		{"7.7.9 close 3999", closing(3999, ""), "close 3999"},
		{"7.9.1 close 0", closing(0, ""), "close 1002"},
		{"7.9.2 close 999", closing(999, ""), "close 1002"},
		{"7.9.3 close 1004", closing(1004, ""), "close 1002"},
		{"7.9.4 close 1005", closing(1005, ""), "close 1002"},
		{"7.9.6 close 1016", closing(1016, ""), "close 1002"},
		{"7.13.1 close 5000", closing(5000, ""), "close 1002"},
		{"9.1.6 a gigabyte announced", frLen(fin|text, 1<<30, strings.Repeat("x", 70<<10)), "close 4413"},
		{"9.x a length with the top bit", frLen(fin|text, 1<<63, "x"), dropped},
		{"mask: a client's frame without one", unmasked(fin|text, `{"type":"x"}`), "close 1002"},
		{"mask: a ping without one", unmasked(fin|ping, ""), "close 1002"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := h.raw(t)
			if _, err := conn.Write(c.send); err != nil {
				t.Fatal(err)
			}
			for {
				op, data, err := conn.frame()
				got := ""
				switch {
				case err != nil:
					got = dropped
				case op == text && bytes.HasPrefix(data, []byte(`{"type":"ack"`)):
					got = ack
				case op == text && bytes.HasPrefix(data, []byte(`{"type":"error"`)):
					got = "error"
				case op == pong:
					if got = ponged; len(data) > 0 {
						got += " " + string(data)
					}
				case op == shut && len(data) == 0:
					got = "close"
				case op == shut && len(data) >= 2:
					got = fmt.Sprint("close ", binary.BigEndian.Uint16(data))
				}
				if got == c.want {
					break
				}
				if got == ponged+" mid" && c.want == ack || got == ack && c.want == "close 1000" {
					continue
				}
				t.Fatalf("%q (%d %q %v), want %q", got, op, data, err, c.want)
			}
			conn.Close()
			// Nobody else noticed.
			if o := h.dial(agent); o.open("conv_1", 0).Type != "ack" {
				t.Error("another connection is of no use")
			} else {
				o.Close()
			}
		})
	}
}
