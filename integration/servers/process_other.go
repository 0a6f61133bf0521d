//go:build !linux

package servers

import "syscall"

// dieWithParent has no counterpart here: a server outlives a test that is killed.
func dieWithParent() *syscall.SysProcAttr { return nil }
