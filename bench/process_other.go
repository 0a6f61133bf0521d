//go:build !linux

package main

import "syscall"

// dieWithParent is Linux' alone.
func dieWithParent() *syscall.SysProcAttr { return nil }
