package local

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// sharedBuffers is the server's own cache for a machine with so many bytes of
// memory: an eighth, so that searches in a large knowledge base find what they
// read there. It is taken only as it fills.
func sharedBuffers(memory int64) int64 {
	return min(max(memory/8, 128<<20), 1<<30)
}

// memory is what this machine, or the container that this is, has in bytes; 0
// where the system does not say.
func memory() int64 {
	has := int64(0)
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kb int64
		if _, err := fmt.Sscanf(string(info), "MemTotal: %d kB", &kb); err == nil {
			has = kb << 10
		}
	}
	if limit, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64); err == nil { // else "max"
			has = min(has, n)
		}
	}
	return has
}

// megabytes is a setting's notation.
func megabytes(n int64) string { return strconv.FormatInt(n>>20, 10) + "MB" }
