package main

import "syscall"

// dieWithParent makes the program end with the benchmark, also when that is killed: it
// would wait for its receiver for ever.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
