package servers

import "syscall"

// dieWithParent makes a server end with the test that started it, also when that
// is killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
