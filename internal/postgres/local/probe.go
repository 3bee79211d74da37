package local

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	pidFileName = "postmaster.pid"
	answerLimit = 2 * time.Second // for a server on the same machine to answer
)

// state is what a server is doing.
type state int

const (
	down  state = iota // no server runs
	busy               // one runs and takes no connections: starting, recovering, stopping, stuck
	ready              // one answers
)

// pidFile is what a server says about itself in postmaster.pid.
type pidFile struct {
	pid    int
	socket string // directory; "" before the server listens
	ready  bool   // it says that it takes connections
}

// probe says what the cluster's server is doing.
func (c *Cluster) probe() (pidFile, state) {
	server := readPIDFile(filepath.Join(c.place.data, pidFileName))
	alive := c.alive(server.pid)
	if alive && !server.ready {
		return server, busy // asking would only fill its log
	}
	if server.socket != "" {
		// An answer is better evidence than a process id, which may be of another container.
		if s := ask(filepath.Join(server.socket, socketName)); s != down {
			return server, s
		}
	}
	if alive {
		return server, busy
	}
	return server, down
}

// readPIDFile returns what the file says; nothing when it is missing, empty or not ours to read.
func readPIDFile(path string) (p pidFile) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return p
	}
	defer f.Close()
	text, err := readSmall(f)
	if err != nil {
		return p
	}
	lines := strings.Split(text, "\n")
	// A server that is a stand-alone backend has a negative number; nobody here starts one on live data.
	if pid, err := strconv.Atoi(strings.TrimSpace(lines[0])); err == nil && pid > 1 {
		p.pid = pid
	}
	if len(lines) > 4 {
		p.socket = lines[4]
	}
	p.ready = len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"
	return p
}

// readSmall reads a file that is known to be small.
func readSmall(f *os.File) (string, error) {
	text, err := io.ReadAll(io.LimitReader(f, 16<<10))
	return string(text), err
}

// alive says whether process pid is the cluster's server, and collects it if it is a dead child of ours.
func (c *Cluster) alive(pid int) bool {
	if pid <= 1 {
		return false
	}
	if exited, _ := reap(pid); exited {
		return false
	}
	if syscall.Kill(pid, 0) != nil {
		return false // gone, or of a user that cannot be the server's
	}
	data, err := os.Stat(c.place.data)
	if err != nil {
		return false
	}
	if runtime.GOOS == "linux" {
		// A server works in its data directory; a dead process nobody collected has none.
		cwd, err := os.Stat("/proc/" + strconv.Itoa(pid) + "/cwd")
		return err == nil && os.SameFile(cwd, data)
	}
	command := output("ps", "-o", "command=", "-p", strconv.Itoa(pid))
	return strings.Contains(command, c.place.data)
}

// reap collects process pid if it is a child of ours that has exited.
func reap(pid int) (exited bool, status syscall.WaitStatus) {
	for {
		got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
		if !errors.Is(err, syscall.EINTR) {
			return err == nil && got == pid, status
		}
	}
}

// ask connects to the socket at path and says what answers: it begins a session and leaves.
func ask(path string) state {
	conn, err := net.DialTimeout("unix", path, answerLimit)
	if err != nil {
		if errors.Is(err, syscall.EAGAIN) || os.IsTimeout(err) {
			return busy // its queue is full
		}
		return down
	}
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(answerLimit)) != nil {
		return busy
	}
	const version = 3 << 16
	hello := binary.BigEndian.AppendUint32(nil, version)
	hello = append(hello, "user\x00"+superuser+"\x00database\x00"+database+"\x00\x00"...)
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(hello)+4)), hello...)); err != nil {
		return busy
	}
	for {
		kind, body, err := readMessage(conn)
		if err != nil {
			return busy
		}
		switch kind {
		case 'Z': // ready for a query
			_, _ = conn.Write([]byte{'X', 0, 0, 0, 4}) // goodbye; the server also takes a closed socket for one
			return ready
		case 'E':
			const cannotConnectNow = "57P03" // starting up, shutting down, recovering
			if strings.Contains("\x00"+string(body), "\x00C"+cannotConnectNow+"\x00") {
				return busy
			}
			return ready // it answers, if only "too many connections"
		}
	}
}

// readMessage reads one message of PostgreSQL's protocol.
func readMessage(r io.Reader) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length < 4 || length > 64<<10 {
		return 0, nil, errors.New("not a PostgreSQL message")
	}
	body = make([]byte, length-4)
	_, err = io.ReadFull(r, body)
	return head[0], body, err
}
