package command

import (
	"log/slog"
	"os"
	"syscall"
)

// Restart puts a new process of the same program in the place of this one, with
// its number, arguments and environment. Nothing of this one goes on: what a crash
// at this moment would keep is kept, and children end with the threads that
// started them.
func Restart(log *slog.Logger) {
	err := syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	log.Error("the process cannot start anew; it ends", "error", err)
	os.Exit(1)
}
