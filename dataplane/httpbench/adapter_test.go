package httpbench_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
	"unsafe"

	"github.com/valyala/fasthttp"
)

// adapter lets a handler of net/http answer requests of fasthttp with memory that
// is used again: the least that a gateway on fasthttp would need, to be measured.
// The handler must keep nothing of a request.
type adapter struct {
	handler http.Handler
	pool    sync.Pool // *adapted
}

// adapted is the memory of one request.
type adapted struct {
	req    http.Request
	url    url.URL
	header http.Header
	values [64][1]string
	res    adaptedResponse
}

// adaptedResponse is an http.ResponseWriter.
type adaptedResponse struct {
	c      *fasthttp.RequestCtx
	header http.Header
}

func (r *adaptedResponse) Header() http.Header         { return r.header }
func (r *adaptedResponse) WriteHeader(status int)      { r.c.SetStatusCode(status) }
func (r *adaptedResponse) Write(b []byte) (int, error) { return r.c.Write(b) }
func (r *adaptedResponse) SetReadDeadline(t time.Time) error {
	return r.c.Conn().SetReadDeadline(t)
}

// serve is a fasthttp.RequestHandler.
func (a *adapter) serve(c *fasthttp.RequestCtx) {
	x, _ := a.pool.Get().(*adapted)
	if x == nil {
		x = &adapted{header: make(http.Header, 8), res: adaptedResponse{header: make(http.Header, 8)}}
	}
	defer a.pool.Put(x)
	clear(x.header)
	clear(x.res.header)
	n := 0
	for name, value := range c.Request.Header.All() {
		x.values[n][0] = text(value)
		x.header[text(name)] = x.values[n][:]
		n++
	}
	body := io.NopCloser(io.Reader(bytes.NewReader(nil)))
	if stream := c.RequestBodyStream(); stream != nil {
		body = io.NopCloser(stream)
	}
	x.url = url.URL{Path: text(c.Path())}
	x.req = http.Request{
		Method: text(c.Method()), URL: &x.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: x.header, Host: text(c.Host()),
		RequestURI: x.url.Path, RemoteAddr: "127.0.0.1:1", ContentLength: int64(c.Request.Header.ContentLength()), Body: body,
	}
	x.res.c = c
	a.handler.ServeHTTP(&x.res, &x.req)
	for name, values := range x.res.header {
		for _, v := range values {
			c.Response.Header.Add(name, v)
		}
	}
}

// text is b as a string, as long as b is not changed.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
