package connector

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weir/shared/fault"
	"weir/shared/worker"
)

// pipes are the parent's ends of what a connector writes.
type pipes struct{ out, err *os.File }

// spawn starts the task in namespaces of its own, with the parent's end of a socket to it.
func spawn(command []string) (*exec.Cmd, *net.UnixConn, pipes, error) {
	var none pipes
	// No file that this process inherited itself goes on to the connector.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return nil, nil, none, fmt.Errorf("keep open files from a connector: %w", err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, none, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "connector"), os.NewFile(uintptr(fds[1]), "parent")
	defer func() { _ = theirs.Close() }()
	conn, err := net.FileConn(ours)
	_ = ours.Close() // conn has its own
	if err != nil {
		return nil, nil, none, fmt.Errorf("the socket of a connector: %w", err)
	}
	out, outW, err := os.Pipe()
	if err != nil {
		_ = conn.Close()
		return nil, nil, none, fmt.Errorf("a pipe: %w", err)
	}
	defer func() { _ = outW.Close() }()
	said, saidW, err := os.Pipe()
	if err != nil {
		_, _ = conn.Close(), out.Close()
		return nil, nil, none, fmt.Errorf("a pipe: %w", err)
	}
	defer func() { _ = saidW.Close() }()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.Stdout, cmd.Stderr = outW, saidW
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL, Setpgid: true,
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if err := cmd.Start(); err != nil {
		_, _, _ = conn.Close(), out.Close(), said.Close()
		return nil, nil, none, fault.New(fault.Unavailable, "This machine does not let connectors be confined: allow the plane's user to make user namespaces.")
	}
	return cmd, conn.(*net.UnixConn), pipes{out, said}, nil
}

// begin tells the task what to run, and takes the listener of its proxy.
func begin(conn *net.UnixConn, l launch) (net.Listener, error) {
	failed := func(err error) (net.Listener, error) {
		return nil, fmt.Errorf("start a connector: %w", err)
	}
	if err := conn.SetDeadline(time.Now().Add(prepareTime)); err != nil {
		return failed(err)
	}
	body, err := json.Marshal(l)
	if err != nil {
		return failed(err)
	}
	if err := worker.Send(conn, msgLaunch, body); err != nil {
		return failed(err)
	}
	b, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	n, oob, _, _, err := conn.ReadMsgUnix(b, rights)
	if err != nil || n != 1 {
		return failed(errors.Join(err, os.ErrClosed))
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return failed(err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:oob])
	if err != nil || len(messages) == 0 {
		return nil, nil // it has no proxy, or did not come so far: the next message says so
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return failed(errors.Join(err, os.ErrInvalid))
	}
	unix.CloseOnExec(fds[0])
	file := os.NewFile(uintptr(fds[0]), "proxy")
	listener, err := net.FileListener(file)
	_ = file.Close() // listener has its own
	if err != nil {
		return failed(err)
	}
	return listener, nil
}

func exitOf(kind byte, body []byte) (Exit, error) {
	var e Exit
	if kind != msgExit {
		return e, worker.ErrFrame
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return e, fmt.Errorf("the end of a connector: %w", err)
	}
	return e, nil
}

// Serve is the task. It is the first process of its namespaces, prepares what the connector
// sees, starts it without any capability, and waits for its end, and for that of what it left
// behind.
func Serve(parent net.Conn) error {
	conn, ok := parent.(*net.UnixConn)
	if !ok {
		return os.ErrInvalid
	}
	_, body, err := worker.Receive(conn, 64<<20)
	if err != nil {
		return err
	}
	var l launch
	if err := json.Unmarshal(body, &l); err != nil {
		return err
	}
	e := run(conn, l)
	answer, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return worker.Send(conn, msgExit, answer)
}

// run does what Serve says.
func run(conn *net.UnixConn, l launch) Exit {
	// Capabilities are a thread's. This one loses them, and starts the connector.
	runtime.LockOSThread()
	port, rights, err := 0, []byte(nil), error(nil)
	if l.Proxy {
		port, rights, err = loopback()
	}
	if err == nil {
		err = surround(l)
	}
	if err == nil {
		err = bounds(l)
	}
	if err == nil {
		err = renounce()
	}
	if _, _, failed := conn.WriteMsgUnix([]byte{0}, rights, nil); failed != nil {
		return Exit{Failed: "the socket to the plane"}
	}
	if err != nil {
		return Exit{Failed: err.Error()}
	}
	program, err := lookup(l)
	if err != nil {
		return Exit{Failed: "the program " + l.Command[0] + " is not there"}
	}
	pid, err := syscall.ForkExec(program, l.Command, &syscall.ProcAttr{Dir: Work, Env: environment(port), Files: []uintptr{0, 1, 2}})
	if err != nil {
		return Exit{Failed: "the program " + l.Command[0] + " does not start: " + err.Error()}
	}
	// The task's own ends of stdout and stderr are closed, so that the readers see when nobody writes any more.
	_ = unix.Close(1)
	_ = unix.Close(2)
	var over atomic.Pointer[string]
	go watch(l, &over) // ends with the process
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return Exit{Failed: "its end is not known"}
		case got == pid && (status.Exited() || status.Signaled()):
			e := Exit{Code: status.ExitStatus()}
			if status.Signaled() {
				e = Exit{Code: -1, Signal: int(status.Signal())}
			}
			if text := over.Load(); text != nil {
				e.Over = *text
			}
			_ = unix.Kill(-1, unix.SIGKILL)
			return e
		}
	}
}

// lookup finds the program.
func lookup(l launch) (string, error) {
	if strings.HasPrefix(l.Command[0], "./") {
		return filepath.Join(l.Dir, l.Command[0]), nil
	}
	for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin"} {
		if at := filepath.Join(dir, l.Command[0]); unix.Access(at, unix.X_OK) == nil {
			return at, nil
		}
	}
	return "", os.ErrNotExist
}

// loopback brings the network's loopback up and listens there. The listener is the parent's:
// rights hand it over.
func loopback() (port int, rights []byte, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, fmt.Errorf("a socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return 0, nil, fmt.Errorf("the loopback: %w", err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return 0, nil, fmt.Errorf("the loopback: %w", err)
	}
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, nil, fmt.Errorf("listen on the loopback: %w", err)
	}
	file, err := l.File() // it stays open until the parent has its own
	if err != nil {
		return 0, nil, fmt.Errorf("listen on the loopback: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, unix.UnixRights(int(file.Fd())), nil
}

// system is what every program may read.
var system = [...]string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/alternatives",
	"/etc/localtime", "/etc/mime.types", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom",
}

// surround makes the file system of a connector, and makes it the root.
func surround(l launch) error {
	step := func(what string, err error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := step("private mounts", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		return err
	}
	const safe = unix.MS_NOSUID | unix.MS_NODEV
	if err := step("a root", unix.Mount("tmpfs", l.Root, "tmpfs", safe, "size=1m,mode=755")); err != nil {
		return err
	}
	for _, p := range system {
		if err := show(l.Root, p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for _, p := range append([]string{l.Dir}, l.Paths...) {
		if err := show(l.Root, p); err != nil {
			return fmt.Errorf("the path %s: %w", p, err)
		}
	}
	for name, text := range map[string]string{"passwd": "root:x:0:0:root:" + Work + ":/bin/sh\n", "group": "root:x:0:\n", "hosts": "127.0.0.1 localhost\n"} {
		if err := os.MkdirAll(filepath.Join(l.Root, "etc"), 0o755); err != nil {
			return fmt.Errorf("a folder: %w", err)
		}
		if err := os.WriteFile(filepath.Join(l.Root, "etc", name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("a file: %w", err)
		}
	}
	work := filepath.Join(l.Root, Work)
	for _, dir := range []string{work, filepath.Join(l.Root, "proc")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("a folder: %w", err)
		}
	}
	if err := os.Symlink(Work, filepath.Join(l.Root, "tmp")); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("a link: %w", err)
	}
	if err := step("the scratch directory", unix.Mount("tmpfs", work, "tmpfs", safe, "mode=700,size="+strconv.FormatInt(l.Scratch, 10))); err != nil {
		return err
	}
	if err := step("proc", unix.Mount("proc", filepath.Join(l.Root, "proc"), "proc", safe|unix.MS_NOEXEC, "")); err != nil {
		return err
	}
	for name, content := range l.Files {
		if err := os.WriteFile(filepath.Join(work, filepath.Base(name)), content, 0o600); err != nil {
			return fmt.Errorf("a file of settings: %w", err)
		}
	}
	if err := os.Chdir(l.Root); err != nil {
		return fmt.Errorf("the root: %w", err)
	}
	if err := errors.Join(unix.PivotRoot(".", "."), unix.Unmount(".", unix.MNT_DETACH), os.Chdir("/")); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	return step("a read-only root", unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}))
}

// show shows a file or folder, read-only, at the same place below a root.
func show(root, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	at := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	switch {
	case info.Mode()&os.ModeSymlink != 0:
		to, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return os.Symlink(to, at)
	case info.IsDir():
		err = os.MkdirAll(at, 0o755)
	default:
		var file *os.File
		if file, err = os.OpenFile(at, os.O_CREATE, 0o644); err == nil {
			err = file.Close()
		}
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(path, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.MountSetattr(unix.AT_FDCWD, at, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID})
}

// openFiles is how many files a process of a connector has open at most.
const openFiles = 512

// leastData is the data that each process may have at least, of which this one needs a part.
const leastData = 256 << 20

// bounds sets what the kernel holds each process to, this one too; watch counts them together.
func bounds(l launch) error {
	for _, b := range []struct {
		resource int
		most     int64
	}{
		{unix.RLIMIT_DATA, max(l.Memory, leastData)}, {unix.RLIMIT_CPU, int64((l.CPU + time.Second - 1) / time.Second)}, {unix.RLIMIT_NOFILE, openFiles},
		{unix.RLIMIT_FSIZE, l.Scratch}, {unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(b.resource, &unix.Rlimit{Cur: uint64(b.most), Max: uint64(b.most)}); err != nil {
			return fmt.Errorf("limits: %w", err)
		}
	}
	return nil
}

// Of linux/securebits.h: a process of uid 0 has no capabilities by that, and this stays so.
const securebits = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<6 | 1<<7

// renounce takes all capabilities from what this thread starts.
func renounce() error {
	for c := uintptr(0); c < 64; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); errors.Is(err, unix.EINVAL) {
			break // the kernel has no further ones
		} else if err != nil {
			return fmt.Errorf("capabilities: %w", err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, securebits, 0, 0, 0); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("privileges: %w", err)
	}
	return nil
}

// watchEvery is how often watch looks.
const watchEvery = 50 * time.Millisecond

// watch ends all processes of a connector when together they are over a bound.
func watch(l launch, over *atomic.Pointer[string]) {
	for ; ; time.Sleep(watchEvery) {
		var reaped unix.Rusage
		_ = unix.Getrusage(unix.RUSAGE_CHILDREN, &reaped)
		memory, processes, cpu := usage()
		cpu += time.Duration(reaped.Utime.Nano() + reaped.Stime.Nano())
		text := ""
		switch {
		case memory > l.Memory:
			text = "memory"
		case processes > l.Processes:
			text = "processes"
		case cpu > l.CPU:
			text = "processor time"
		default:
			continue
		}
		over.CompareAndSwap(nil, &text)
		_ = unix.Kill(-1, unix.SIGKILL)
	}
}

// tick is the unit of times in /proc, USER_HZ. Source: proc_pid_stat(5)
const tick = time.Second / 100

// usage is what all processes but the first use together. Memory is that which is theirs
// alone, so that what they share counts once at most.
func usage() (memory int64, processes int, cpu time.Duration) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, 0, 0
	}
	page := int64(os.Getpagesize())
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == 1 {
			continue
		}
		processes++
		if b, err := os.ReadFile("/proc/" + e.Name() + "/statm"); err == nil {
			if f := strings.Fields(string(b)); len(f) > 2 {
				resident, _ := strconv.ParseInt(f[1], 10, 64)
				shared, _ := strconv.ParseInt(f[2], 10, 64)
				memory += (resident - shared) * page
			}
		}
		if b, err := os.ReadFile("/proc/" + e.Name() + "/stat"); err == nil {
			text := string(b)
			f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // the name may hold anything
			for i := 11; i <= 14 && i < len(f); i++ {
				n, _ := strconv.ParseInt(f[i], 10, 64)
				cpu += time.Duration(n) * tick
			}
		}
	}
	return memory, processes, cpu
}
