package local

import "testing"

func TestSharedBuffers(t *testing.T) {
	for memory, want := range map[int64]string{0: "128MB", 512 << 20: "128MB", 4 << 30: "512MB", 64 << 30: "1024MB"} {
		if got := megabytes(sharedBuffers(memory)); got != want {
			t.Errorf("%d bytes of memory: %s, want %s", memory, got, want)
		}
	}
}
