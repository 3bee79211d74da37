package app

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
)

// Signer gives the signer of tokens: of the configured secret, else of the one
// in the data directory, which is made at first use. Server and command line on
// one machine share it that way.
func (c Config) Signer() (*auth.Signer, error) {
	secret := c.Secret
	if secret == "" {
		var err error
		if secret, err = c.developmentSecret(); err != nil {
			return nil, err
		}
	}
	return auth.NewSigner([]byte(secret))
}

// HasSecret says whether Signer finds a secret, so that it need not make one.
func (c Config) HasSecret() bool {
	_, err := os.Stat(c.secretFile())
	return c.Secret != "" || err == nil
}

func (c Config) developmentSecret() (string, error) {
	if c.DataDir == "" {
		return "", assist.Errorf(assist.Invalid, "ASIDE_SECRET is not set: `openssl rand -hex 32` makes one")
	}
	for {
		b, err := os.ReadFile(c.secretFile())
		if err == nil {
			return strings.TrimSpace(string(b)), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("read the development secret (%w): name another folder with --data-dir (ASIDE_DATA_DIR), or set ASIDE_SECRET", err)
		}
		if err := c.makeSecret(); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("keep a development secret in %s (%w): name another folder with --data-dir (ASIDE_DATA_DIR), or set ASIDE_SECRET", c.DataDir, err)
		}
	}
}

// makeSecret writes a new secret whole or not at all, and never over one that
// another process made meanwhile.
func (c Config) makeSecret() error {
	if err := os.MkdirAll(c.DataDir, 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(c.DataDir, "secret-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(hex.EncodeToString(randomBytes(32)) + "\n")
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Link(tmp.Name(), c.secretFile())
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}
