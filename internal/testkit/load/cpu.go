package load

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// CPU is processor time used so far. Unlike times on the clock it hardly depends
// on what else the machine does.
type CPU struct{ Server, Database, Here time.Duration }

// Minus is what was used since.
func (c CPU) Minus(before CPU) CPU {
	return CPU{c.Server - before.Server, c.Database - before.Database, c.Here - before.Here}
}

// Per says what one of n things used.
func (c CPU) Per(n int) string {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(max(1, n)) }
	return fmt.Sprintf("CPU ms for one: server %.2f, database %.2f, clients and model %.2f", ms(c.Server), ms(c.Database), ms(c.Here))
}

// CPU reads it. Linux only.
func (s *Server) CPU(ctx context.Context) (c CPU, err error) {
	server, _, err := processCPU(s.cmd.Process.Pid)
	if err != nil {
		return c, err
	}
	c, err = s.w.CPU(ctx)
	c.Server = server
	return c, err
}

// CPU is that of the database and of this process. Linux only.
func (w *World) CPU(ctx context.Context) (c CPU, err error) {
	if c.Here, _, err = processCPU(os.Getpid()); err != nil {
		return c, err
	}
	conn, err := pgx.Connect(ctx, w.URL)
	if err != nil {
		return c, err
	}
	defer conn.Close(ctx)
	var backend int
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&backend); err != nil {
		return c, err
	}
	_, postmaster, err := processCPU(backend)
	if err != nil {
		return c, fmt.Errorf("the database is not on this machine: %w", err)
	}
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return c, err
	}
	for _, stat := range all {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err != nil {
			continue
		}
		used, parent, err := processCPU(pid)
		if err == nil && (parent == postmaster || pid == postmaster) { // those that ended have none
			c.Database += used
		}
	}
	return c, nil
}

// processCPU gives what a process used, and for a server of databases what its
// ended children used, and its parent.
func processCPU(pid int) (used time.Duration, parent int, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	_, rest, ok := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if !ok || len(f) < 15 {
		return 0, 0, fmt.Errorf("/proc/%d/stat is not understood", pid)
	}
	var ticks [4]int64 // own and children's, in user mode and in the kernel
	for i, at := range []int{11, 12, 13, 14} {
		if ticks[i], err = strconv.ParseInt(f[at], 10, 64); err != nil {
			return 0, 0, err
		}
	}
	parent, err = strconv.Atoi(f[1])
	return time.Duration(ticks[0]+ticks[1]+ticks[2]+ticks[3]) * 10 * time.Millisecond, parent, err
}
