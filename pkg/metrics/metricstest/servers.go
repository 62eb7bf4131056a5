package metricstest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strconv"
	"testing"
)

// longest is more than a provider ought to read of an answer.
const longest = 32 << 20

// Answer is a server that always says the same.
func Answer(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// everything that a server is shown by a request.
func everything(r *http.Request) string {
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		return err.Error()
	}
	return string(dump)
}

// echo repeats the request, with the secrets in it.
func echo(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, everything(r))
	})
}

// silent takes a request, says that it has it, and does not answer.
func silent(asked func()) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		// With the body unread, the server would not notice that the caller is gone.
		_, _ = io.Copy(io.Discard, r.Body)
		asked()
		<-r.Context().Done()
	})
}

// half ends the answer of another server where it should go on.
func half(server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := whole(server, r)
		_, _ = w.Write(body[:len(body)/2])
	})
}

// cutOff is the same, with the connection lost in the middle.
func cutOff(server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := whole(server, r)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	})
}

// tooLong puts blanks before an answer that is in order.
func tooLong(server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := whole(server, r)
		blanks := bytes.Repeat([]byte(" "), 1<<20)
		for range longest / len(blanks) {
			if _, err := w.Write(blanks); err != nil {
				return
			}
		}
		_, _ = w.Write(body)
	})
}

// whole is what a server answers to a request.
func whole(server http.Handler, r *http.Request) []byte {
	r.Header.Del("Accept-Encoding") // half of what is compressed is another failure
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	return w.Body.Bytes()
}
