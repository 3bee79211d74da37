package postgres_test

import "syscall"

func mountTmpfs(dir, options string) error { return syscall.Mount("tmpfs", dir, "tmpfs", 0, options) }

func unmountTmpfs(dir string) error { return syscall.Unmount(dir, 0) }
