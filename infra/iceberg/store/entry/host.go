package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	iceio "github.com/apache/iceberg-go/io"
)

// host is the plane, which has the objects and makes the connections.
type host struct {
	socket string
	client *http.Client // of objects
	root   string
}

func newHost(socket string) *host {
	h := &host{socket: socket}
	h.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	return h
}

// Times of connections.
const (
	dialTime   = 30 * time.Second
	answerTime = time.Minute // until an answer begins
)

// transport makes requests over connections that the plane dials.
func (h *host) transport() *http.Transport {
	return &http.Transport{DialContext: h.dial, TLSHandshakeTimeout: dialTime, ResponseHeaderTimeout: answerTime, MaxIdleConns: 4}
}

// dial asks the plane for a connection.
func (h *host) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", h.socket)
	if err != nil {
		return nil, err
	}
	until, _ := ctx.Deadline()
	err = conn.SetDeadline(until)
	if err == nil {
		_, err = fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", addr)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err == nil && res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		err = fmt.Errorf("%s", bytes.TrimSpace(text))
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &buffered{Conn: conn, r: r}, nil
}

// buffered is a connection of which some was read.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.r.Read(p) }

// key is the key of the object at a location.
func (h *host) key(location string) (string, error) {
	location = strings.TrimPrefix(location, "file://")
	if rest, ok := strings.CutPrefix(location, "s3a://"); ok {
		location = "s3://" + rest
	}
	key, ok := strings.CutPrefix(location, h.root+"/")
	if !ok || !fs.ValidPath(key) {
		return "", fmt.Errorf("%s is not below %s", location, h.root)
	}
	return key, nil
}

// errThere says that an object is there already.
var errThere = errors.New("the object is there")

// do asks for something about an object. only is for an object that must not be there.
func (h *host) do(method, location string, content []byte, only bool) ([]byte, error) {
	key, err := h.key(location)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(method, "http://plane/objects?key="+url.QueryEscape(key), bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	if only {
		req.Header.Set("If-None-Match", "*")
	}
	res, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return nil, err
	case res.StatusCode == http.StatusNotFound:
		return nil, &fs.PathError{Op: method, Path: location, Err: fs.ErrNotExist}
	case res.StatusCode == http.StatusPreconditionFailed:
		return nil, errThere
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s", bytes.TrimSpace(body))
	}
	return body, nil
}

// Of the library's interface of files.
var (
	_ iceio.WriteFileIO = (*host)(nil)
	_ iceio.ReadFileIO  = (*host)(nil)
)

func (h *host) Open(name string) (iceio.File, error) {
	content, err := h.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &object{Reader: bytes.NewReader(content), name: name}, nil
}

func (h *host) ReadFile(name string) ([]byte, error) { return h.do(http.MethodGet, name, nil, false) }

func (h *host) Remove(name string) error {
	_, err := h.do(http.MethodDelete, name, nil, false)
	return err
}

func (h *host) WriteFile(name string, content []byte) error {
	_, err := h.do(http.MethodPut, name, content, false)
	return err
}

func (h *host) Create(name string) (iceio.FileWriter, error) {
	if _, err := h.key(name); err != nil {
		return nil, err
	}
	return &writer{h: h, name: name}, nil
}

// object is a file that was read.
type object struct {
	*bytes.Reader
	name string
}

func (o *object) Close() error               { return nil }
func (o *object) Stat() (fs.FileInfo, error) { return about{o}, nil }

type about struct{ o *object }

func (a about) Name() string       { return a.o.name[strings.LastIndexByte(a.o.name, '/')+1:] }
func (a about) Size() int64        { return a.o.Reader.Size() }
func (a about) Mode() fs.FileMode  { return 0o400 }
func (a about) ModTime() time.Time { return time.Time{} }
func (a about) IsDir() bool        { return false }
func (a about) Sys() any           { return nil }

// writer is a file that is written when it is closed.
type writer struct {
	bytes.Buffer
	h      *host
	name   string
	closed bool
}

func (w *writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return w.h.WriteFile(w.name, w.Bytes())
}
