package engine

import (
	"sync"
	"syscall"
	"time"
)

// WallFactor is how many times its CPU a machine may take on the clock.
const WallFactor = 6

// watchdog interrupts a machine that has used its time: CPU of the process, so
// that a busy computer does not make innocent code late, or WallFactor times as
// long on the clock.
type watchdog struct {
	interrupt func()
	stuck     func() // interrupts do not help

	mu    sync.Mutex
	timer *time.Timer
	done  bool // the limit was met
	armed int  // counts the calls of arm and disarm
}

func (w *watchdog) arm(most time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed++
	w.done = false
	mine, start, used := w.armed, time.Now(), CPU()
	var look func()
	look = func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if mine != w.armed {
			return
		}
		left := most - (CPU() - used)
		if w.done && (left < -most-100*time.Millisecond || time.Since(start) > 2*WallFactor*most) {
			w.stuck()
		}
		if wait := WallFactor*most - time.Since(start); left <= 0 || wait <= 0 {
			// Again and again: a call that begins forgets an earlier interrupt.
			w.done = true
			w.interrupt()
			left = 10 * time.Millisecond
		}
		w.timer = time.AfterFunc(max(left, time.Millisecond), look)
	}
	w.timer = time.AfterFunc(most, look)
}

func (w *watchdog) disarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed++
	w.timer.Stop()
}

func (w *watchdog) fired() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done
}

// CPU is the time that this process has used.
func CPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
