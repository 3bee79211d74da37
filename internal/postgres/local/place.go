package local

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	port       = "5432" // only part of the socket's name
	socketName = ".s.PGSQL." + port

	// maxSocketPath is what fits the address of a unix socket everywhere (macOS: 104 with the final zero).
	maxSocketPath = 100

	pointerName  = "moved-to"       // in Dir: one line, where the cluster is when it is not in Dir
	fallbackHome = "/var/lib/aside" // for root, when the server's user cannot reach Dir
)

// account is the operating system's user a server runs as.
type account struct {
	name     string
	uid, gid uint32
}

// place is where a cluster lives.
type place struct {
	home   string   // holds data and, if its path is short enough, the socket's directory
	data   string   // PostgreSQL's data directory
	server *account // the user the server runs as; nil: the same as this process
}

// makeHome makes dir when it is missing and returns its one true path. Only its owner can read it;
// when the owner is root, the server's user can pass through to what is its own.
func makeHome(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if err := makeDir(dir, mode); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// makeDir makes dir with exactly mode; one that exists stays as it is.
func makeDir(dir string, mode fs.FileMode) error {
	switch info, err := os.Stat(dir); {
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s is a file", dir)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	return os.Chmod(dir, mode) // whatever the umask is
}

// settle decides where the cluster of dir lives and which user runs its server.
func settle(dir, fallback string, log *slog.Logger) (place, error) {
	at := func(home string, server *account) place {
		return place{home: home, data: filepath.Join(home, "cluster"), server: server}
	}
	home, err := pointedTo(dir)
	if err != nil {
		return place{}, err
	}
	if os.Geteuid() != 0 {
		return at(home, nil), nil
	}

	p := at(home, nil)
	p.server, err = ownerOf(p.data)
	switch {
	case err == nil:
		return p, nil // runs as the user who made it
	case !errors.Is(err, fs.ErrNotExist):
		return place{}, err
	}
	if p.server, err = serverAccount(); err != nil {
		return place{}, err
	}
	if home != dir {
		log.Warn("the private database is gone from where it was, starting an empty one", "dir", home)
	} else if !reachable(dir, *p.server) {
		home = filepath.Join(fallback, shortHash(dir))
		if err := os.WriteFile(filepath.Join(dir, pointerName), []byte(home+"\n"), 0o600); err != nil {
			return place{}, err
		}
		log.Info("the user that runs the private database cannot reach its directory, so it lives elsewhere",
			"user", p.server.name, "dir", dir, "database", home)
	}
	if home != dir {
		if err := errors.Join(makeDir(fallback, 0o711), makeDir(home, 0o711)); err != nil {
			return place{}, err
		}
		if !reachable(home, *p.server) {
			return place{}, fmt.Errorf("user %s, who is to run the database, cannot reach %s nor %s; choose another data directory", p.server.name, dir, home)
		}
	}
	return at(home, p.server), nil
}

// Made reports whether a cluster was ever made in dir. It changes nothing. What cannot be
// looked at counts as made: Start says what is wrong with it.
func Made(dir string) bool {
	home, err := pointedTo(dir)
	if err != nil {
		return !errors.Is(err, syscall.ENOTDIR)
	}
	_, err = os.Stat(filepath.Join(home, "cluster"))
	return err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR)
}

// pointedTo is the directory dir points to, or dir itself.
func pointedTo(dir string) (string, error) {
	line, err := os.ReadFile(filepath.Join(dir, pointerName))
	if errors.Is(err, fs.ErrNotExist) {
		return dir, nil
	}
	if err != nil {
		return "", fmt.Errorf("this directory was used by root: %w", err)
	}
	home := strings.TrimSpace(string(line))
	if !filepath.IsAbs(home) {
		return "", fmt.Errorf("%s should hold one absolute path, not %q; mend or remove it", filepath.Join(dir, pointerName), home)
	}
	return home, nil
}

// serverAccount is the unprivileged user for a server started by root.
func serverAccount() (*account, error) {
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(found.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(found.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and this machine has neither a user \"postgres\" nor \"nobody\"; make one with: useradd --system postgres")
}

// ownerOf is the user a path belongs to.
func ownerOf(path string) (*account, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	return &account{name: strconv.Itoa(int(stat.Uid)), uid: stat.Uid, gid: stat.Gid}, nil
}

// reachable says whether a user may pass through every directory down to dir and dir itself.
func reachable(dir string, who account) bool {
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return false
		}
		stat := info.Sys().(*syscall.Stat_t)
		bit := fs.FileMode(0o001)
		switch {
		case stat.Uid == who.uid:
			bit = 0o100
		case stat.Gid == who.gid:
			bit = 0o010
		}
		if info.Mode()&bit == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// own gives a path to the user the server runs as.
func (p place) own(path string) error {
	if p.server == nil {
		return nil
	}
	return os.Lchown(path, int(p.server.uid), int(p.server.gid))
}

// makeSocketDir makes the private directory of the server's socket and returns its path.
func (p place) makeSocketDir() (string, error) {
	dir := filepath.Join(p.home, "socket")
	if !fits(dir) {
		temp := os.TempDir()
		if p.server != nil && !reachable(temp, *p.server) || !fits(filepath.Join(temp, "aside-"+shortHash(p.data))) {
			temp = "/tmp"
		}
		dir = filepath.Join(temp, "aside-"+shortHash(p.data))
	}
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return dir, p.own(dir)
	}
	if !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	// Others can make a directory of this name in the temporary one: it must be ours alone.
	want := uint32(os.Geteuid())
	if p.server != nil {
		want = p.server.uid
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if stat := info.Sys().(*syscall.Stat_t); !info.IsDir() || info.Mode().Perm()&0o077 != 0 || stat.Uid != want {
		return "", fmt.Errorf("%s is not a private directory (mode 0700) of user %d, so the database's socket cannot go there; remove it", dir, want)
	}
	return dir, nil
}

func fits(socketDir string) bool { return len(socketDir)+len("/"+socketName) <= maxSocketPath }

func shortHash(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:8])
}
