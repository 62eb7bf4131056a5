package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// proxyError is the status of a proxy that does not let a call through.
type proxyError int

func (e proxyError) Error() string { return fmt.Sprintf("the proxy refuses (HTTP %d)", int(e)) }

// Trouble says why a host gave no answer to a call that could take so long. Errors of net/http are told by their kind,
// because their text may hold the URL, the address of a proxy with its password, or what a server sent. The same trouble
// is told in the same words each time, without ports and times: it is written to a status.
func Trouble(ctx context.Context, host string, timeout time.Duration, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("the call of %s was given up", host)
	}
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		if ctx.Err() != nil {
			return fmt.Errorf("%s did not answer in the time that was left", host)
		}
		return fmt.Errorf("%s did not answer within %s", host, timeout)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return fmt.Errorf("%s does not speak TLS; its url begins with http", host)
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the certificate of %s is not trusted: %w", host, doubt(untrusted.Err))
	}
	if cause := network(err); cause != nil {
		return fmt.Errorf("%s cannot be reached: %w", host, cause)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s closed the connection without an answer", host)
	}
	return fmt.Errorf("%s gave no answer that can be read", host)
}

// doubt is what speaks against a certificate.
func doubt(err error) error {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return errors.New("it has expired or is not valid yet")
	}
	return err
}

// network is what keeps a server from being reached, nil if nothing does.
func network(err error) error {
	if refused, ok := errors.AsType[proxyError](err); ok {
		return refused
	}
	if beyond, ok := errors.AsType[RefusedError](err); ok {
		return beyond
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		if name.IsNotFound {
			return errors.New("there is no such host")
		}
		return errors.New("its name could not be looked up")
	}
	if outer, ok := errors.AsType[*net.OpError](err); ok {
		if inner := network(outer.Err); inner != nil {
			return inner
		}
		return outer.Err
	}
	return nil
}
