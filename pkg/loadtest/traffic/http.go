package traffic

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"golang.org/x/net/http/httpguts"
)

// userAgent is who sends, unless a header says otherwise.
const userAgent = "weir-loadtester"

// HTTP is a load of requests over HTTP.
type HTTP struct {
	Pace
	Method, URL string
	// Header is sent along; Host in it stands for that of the URL.
	Header http.Header
	Body   []byte
	// HTTP2 is spoken from the first byte on, with or without TLS.
	HTTP2 bool
	// Insecure accepts any certificate of the server.
	Insecure bool
	// Of the connections: whether each serves one request only, and what is not asked for or followed.
	NoKeepAlive, NoCompression, NoRedirects bool
}

// Host of the URL, with its port.
func (h *HTTP) Host() string {
	if address, err := url.Parse(h.URL); err == nil {
		return address.Host
	}
	return ""
}

func (h *HTTP) check(l Limits) error {
	address, err := url.Parse(h.URL)
	if err != nil || address.Hostname() == "" || address.Scheme != "http" && address.Scheme != "https" {
		return fmt.Errorf("the url is no http or https URL")
	}
	if !httpguts.ValidHeaderFieldName(h.Method) { // a method is a token, as the name of a header is
		return fmt.Errorf("method %q is none of HTTP", h.Method)
	}
	for name, values := range h.Header {
		for _, value := range values {
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
				return fmt.Errorf("header %q is none that HTTP allows", name)
			}
		}
	}
	return h.within(l)
}

// Run sends the requests.
func (h *HTTP) Run(ctx context.Context, observe func(Answer)) (*Report, error) {
	transport := h.transport()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	if h.NoRedirects {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	header := h.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", userAgent)
	}
	target := vegeta.Target{Method: h.Method, URL: h.URL, Header: header, Body: h.Body}
	return h.run(ctx, client, target, observe), nil
}

func (h *HTTP) transport() *http.Transport {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(!h.HTTP2)
	protocols.SetHTTP2(h.HTTP2)
	protocols.SetUnencryptedHTTP2(h.HTTP2)
	host, _, err := net.SplitHostPort(h.Header.Get("Host"))
	if err != nil {
		host = h.Header.Get("Host")
	}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: h.Timeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: h.Insecure, ServerName: host},
		MaxIdleConnsPerHost: h.Concurrency,
		IdleConnTimeout:     30 * time.Second,
		DisableKeepAlives:   h.NoKeepAlive,
		DisableCompression:  h.NoCompression,
		Protocols:           protocols,
	}
}
