package httpserve

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// response is an http.ResponseWriter that sends an answer in one piece.
type response struct {
	header http.Header
	status int
	body   []byte
	out    []byte
	second int64  // of date
	date   []byte // the header line
}

func (r *response) start() {
	if r.header == nil {
		r.header = make(http.Header, 8)
	}
	clear(r.header)
	r.status, r.body = 0, r.body[:0]
}

// Header implements http.ResponseWriter.
func (r *response) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *response) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *response) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	r.body = append(r.body, b...)
	return len(b), nil
}

// SetReadDeadline is for http.ResponseController: the body is in memory already.
func (*response) SetReadDeadline(time.Time) error { return nil }

// send writes the answer; false: the connection ends.
func (r *response) send(conn net.Conn) bool {
	r.WriteHeader(http.StatusOK)
	out := append(r.out[:0], "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(r.status), 10)
	out = append(append(append(out, ' '), http.StatusText(r.status)...), "\r\n"...)
	for name, values := range r.header {
		for _, value := range values {
			out = append(append(append(out, name...), ": "...), oneLine(value)...)
			out = append(out, "\r\n"...)
		}
	}
	if now := time.Now(); now.Unix() != r.second {
		r.second = now.Unix()
		r.date = append(now.UTC().AppendFormat(append(r.date[:0], "Date: "...), http.TimeFormat), "\r\n"...)
	}
	out = append(append(out, r.date...), "Content-Length: "...)
	out = strconv.AppendInt(out, int64(len(r.body)), 10)
	out = append(append(out, "\r\n\r\n"...), r.body...)
	closes := len(r.header["Connection"]) > 0 // a handler sets it to close, and to nothing else
	_, err := conn.Write(out)
	if r.out = out; cap(out) > smallBuffer { // such as a list of many rejected events
		r.out, r.body = nil, nil
	}
	return err == nil && !closes
}

// lineBreaks become spaces in header values, as in net/http.
var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ")

// oneLine returns s without line breaks.
func oneLine(s string) string {
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	return lineBreaks.Replace(s)
}
