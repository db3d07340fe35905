// Package embedded runs the NATS server that keeps a plane's logs in this process,
// without a port: it is reached through InProcessConn alone.
package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/sys/unix"

	"weir/dataplane/queue"
	"weir/shared/durable"
	"weir/shared/fault"
)

// Server is the event server in this process. A server that takes the place of a
// broken one is found by the client's own reconnect. Its methods are safe for
// concurrent use, except that Stop and Restart follow each other.
type Server struct {
	dir string
	// room is how far all logs may grow, in bytes.
	room atomic.Int64
	now  atomic.Pointer[server.Server]
	log  *serverLog
}

// startTimeout is how long the embedded server may take to read its files. It
// reads every block that was not closed in order, so a large store takes a while.
const startTimeout = 2 * time.Minute

// Start starts a server on the folder queue in dir. It calls fail when a write did
// not reach the disk.
//
// fault.Unavailable: the server does not start.
func Start(dir string, log *slog.Logger, fail func(error)) (*Server, error) {
	s := &Server{dir: filepath.Join(dir, "queue"), log: &serverLog{log: log, fail: fail}}
	if err := durable.Room(s.dir, firstRoom); err != nil {
		return nil, fmt.Errorf("begin the event store: %w", err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the logs: %w", err)
	}
	if err := s.Measure(); err != nil {
		return nil, err
	}
	return s, s.Restart()
}

// Room returns how many bytes all logs may have together, as far as the disk goes:
// 60 % of it, but not more than 95 % of what they have and what is free, as of the
// measurement at which that was most: a disk that is full at one start does not leave
// the logs small for good.
func (s *Server) Room() int64 { return s.room.Load() }

// Restart starts the server again after Stop returned true.
//
// fault.Unavailable: it does not start.
func (s *Server) Restart() error {
	// The options are made anew for each start: NewServer writes into them.
	srv, err := server.NewServer(&server.Options{
		ServerName:             "weir-events",
		DontListen:             true,
		NoSigs:                 true,
		NoLog:                  true,
		DisableJetStreamBanner: true,
		MaxPayload:             queue.MaxPayload,
		JetStream:              true,
		StoreDir:               s.dir,
		SyncAlways:             true,
		JetStreamMaxMemory:     64 << 20, // readers' positions
		JetStreamMaxStore:      1 << 60,  // each log has its own limit
	})
	if err != nil {
		return fmt.Errorf("make the event server: %w", err)
	}
	srv.SetLoggerV2(s.log, false, false, false)
	srv.Start()
	s.now.Store(srv)
	if !srv.ReadyForConnections(startTimeout) || !srv.JetStreamEnabled() {
		_ = s.Stop()
		return fault.New(fault.Unavailable, "The embedded event server does not start on %s.", s.dir)
	}
	return nil
}

// Running reports whether the server runs and keeps logs.
func (s *Server) Running() bool {
	srv := s.now.Load()
	return srv != nil && srv.Running() && srv.JetStreamEnabled()
}

// stopTimeout is how long the embedded server may take to end. One that met a
// full disk in the middle of a purge waits for itself and never does.
const stopTimeout = 10 * time.Second

// Stop ends the server; false: it does not end, and may still write.
func (s *Server) Stop() bool {
	srv := s.now.Load()
	if srv == nil {
		return true
	}
	ended := make(chan struct{})
	go func() {
		srv.Shutdown()
		srv.WaitForShutdown()
		close(ended)
	}()
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
		s.log.log.Error("event server does not stop")
		return false
	}
}

// InProcessConn gives the client a connection to the server of the moment.
func (s *Server) InProcessConn() (net.Conn, error) { return s.now.Load().InProcessConn() }

// serverLog passes the server's errors and warnings on, and knows those that
// mean that a write did not reach the disk: the server gives no other sign, it
// just never answers.
type serverLog struct {
	log  *slog.Logger
	fail func(error)
}

// writeErrors are parts of the server's messages about a store that takes nothing
// more. Source: nats-server v2.15.2, server/{filestore,stream,jetstream}.go.
var writeErrors = [...]string{"critical write error", "failed to store a msg", "will be disabled", "disabling jetstream"}

func (l *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Error("event server reported an error", "text", text)
	l.watch(format, text)
}

func (l *serverLog) Warnf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Warn("event server warned", "text", text)
	l.watch(format, text)
}

func (l *serverLog) watch(format, text string) {
	lower := strings.ToLower(format + " " + text)
	for _, sign := range writeErrors {
		if strings.Contains(lower, sign) {
			l.fail(fmt.Errorf("%s", text))
			return
		}
	}
}

func (l *serverLog) Fatalf(format string, v ...any) { l.Errorf(format, v...) }
func (l *serverLog) Noticef(string, ...any)         {}
func (l *serverLog) Debugf(string, ...any)          {}
func (l *serverLog) Tracef(string, ...any)          {}

// firstRoom is what a disk must have free for a first start, in bytes.
const firstRoom = 64 << 20

// roomFile keeps, beside the logs, the largest Room so far, as a decimal number.
const roomFile = "queue.room"

// leastGrowth is the part of Room by which it grows at least, unless to the most there
// may be: what is free changes all the time.
const leastGrowth = 20

// Measure looks at the disk, and lets Room be what there is now if that is clearly more.
func (s *Server) Measure() error {
	dir := filepath.Dir(s.dir)
	most, now, err := diskRoom(dir)
	if err != nil {
		return err
	}
	path, kept := filepath.Join(dir, roomFile), s.room.Load()
	if kept == 0 {
		if text, err := os.ReadFile(path); err == nil {
			kept, _ = strconv.ParseInt(string(text), 10, 64) // else as if there were none
		}
		kept = min(kept, most)
	}
	if now <= kept || now < kept+kept/leastGrowth && now < most {
		s.room.Store(kept)
		return nil
	}
	s.room.Store(now)
	if err := durable.WriteFile(path, strconv.AppendInt(nil, now, 10), 0o600); err != nil {
		s.log.log.Warn("size of the event store not kept", "error", err)
	}
	return nil
}

// diskRoom returns 60 % of the disk and the smaller one of that and 95 % of what there is for the logs under dir.
func diskRoom(dir string) (most, now int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("ask for the size of the disk: %w", err)
	}
	used := int64(0)
	err = filepath.WalkDir(filepath.Join(dir, "queue"), func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // it was removed meanwhile
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		used += info.Size()
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("measure the logs: %w", err)
	}
	block := int64(st.Bsize)
	most = int64(st.Blocks) * block / 10 * 6
	return most, min(most, (int64(st.Bavail)*block+used)/100*95), nil
}

// Free is how many bytes of dir's disk can be written.
func Free(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
