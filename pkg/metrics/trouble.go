package metrics

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	"weir.dev/weir/pkg/outbound"
)

// Unreadable is the error of an answer that is not what the server is said to give.
func (s *Server) Unreadable() *Error {
	return Transportf("%s gives an answer that cannot be read", s.name)
}

// Fails is the error of a server that says itself that it is in trouble.
func (s *Server) Fails(words string) *Error {
	return Transportf("%s fails: %s", s.name, Quote(words, s.secrets...))
}

// Rejects is the error of a query that the server finds wrong, in the server's words.
func (s *Server) Rejects(words string) *Error {
	return Rejectedf("%s rejects the query: %s", s.name, Quote(words, s.secrets...))
}

// RefusesCredentials is the error of who may not ask.
func (s *Server) RefusesCredentials(code int) *Error {
	return Rejectedf("%s refuses the credentials (HTTP %d); check %s", s.name, code, s.from)
}

// Refused is the error of a status from 400 on. Without words of the server's it is about the address.
func (s *Server) Refused(code int, words string) *Error {
	if words != "" {
		return s.Rejects(words)
	}
	return Rejectedf("%s refuses the request (HTTP %d); check the address", s.name, code)
}

// status is the error of a status that says nothing about the query, or nil.
func (s *Server) status(code int) error {
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return s.RefusesCredentials(code)
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return Transportf("%s fails (HTTP %d)", s.name, code)
	case code >= 300 && code < 400:
		return Rejectedf("%s sends its callers elsewhere (HTTP %d); set the address that it sends them to, "+
			"unless it wants credentials", s.name, code)
	}
	return nil
}

// Trouble sorts what goes wrong on the way.
func (s *Server) Trouble(err error) *Error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Transportf("%s did not answer in time", s.name)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return Transportf("%s gives an answer of more than %d bytes; aggregate it, for example with sum()",
			s.name, longestAnswer)
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Rejectedf("the certificate of %s is not trusted: %s", s.name, untrusted.Err)
	}
	if beyond, ok := errors.AsType[outbound.RefusedError](err); ok {
		return Rejectedf("%s cannot be asked: %s", s.name, beyond)
	}
	if network, ok := errors.AsType[*net.OpError](err); ok {
		return Transportf("%s cannot be reached: %s", s.name, cause(network))
	}
	return s.Unreadable()
}

// cause is the innermost error: those around it name the ports, and the same trouble would be told in other
// words each time.
func cause(err *net.OpError) error {
	if inner, ok := errors.AsType[*net.OpError](err.Err); ok {
		return cause(inner)
	}
	return err.Err
}
