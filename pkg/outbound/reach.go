package outbound

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Reach is where calls may go. It is asked when a connection is made, with the address that a name has then, so that no
// name leads around it. A nil Reach is everywhere.
type Reach struct {
	// Refused are networks that nothing may be called in.
	Refused []netip.Prefix
	// Allowed are the only ones that something may be called in; empty are all.
	Allowed []netip.Prefix
}

// Private are the networks that are a machine's or a cloud's own, in CIDR notation: loopback, where the neighbours in the
// pod listen; link-local, with the metadata and the credentials of the machine, and the other addresses that these have at
// Amazon, Google, Azure and Alibaba; and no address at all.
func Private() []string {
	return []string{
		"127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "0.0.0.0/8", "::/128",
		"fd20:ce::254/128", "168.63.129.16/32", "100.100.100.200/32",
		"64:ff9b::7f00:0/104", "64:ff9b::a9fe:0/112", // the same behind a translation from IPv6
	}
}

// ParseReach reads networks in CIDR notation.
func ParseReach(refused, allowed []string) (*Reach, error) {
	r := &Reach{}
	for _, list := range []struct {
		texts []string
		into  *[]netip.Prefix
	}{{refused, &r.Refused}, {allowed, &r.Allowed}} {
		for _, text := range list.texts {
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, fmt.Errorf("%q is no network, as in 10.0.0.0/8", text)
			}
			*list.into = append(*list.into, prefix.Masked())
		}
	}
	return r, nil
}

// Check says why an address may not be called; nil where it may.
func (r *Reach) Check(address netip.Addr) error {
	if r == nil {
		return nil
	}
	address = address.Unmap().WithZone("")
	within := func(list []netip.Prefix) bool {
		for _, p := range list {
			if p.Contains(address) {
				return true
			}
		}
		return false
	}
	if within(r.Refused) || len(r.Allowed) > 0 && !within(r.Allowed) {
		return RefusedError{address}
	}
	return nil
}

// RefusedError says that an address may not be called.
type RefusedError struct{ Address netip.Addr }

// Error says who can change that.
func (e RefusedError) Error() string {
	return fmt.Sprintf("Weir may not call %s; who runs it decides that, by --refused-addresses and --allowed-addresses", e.Address)
}

// DialContext connects as http.DefaultTransport does, where that is allowed.
func (r *Reach) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{
		Timeout: 30 * time.Second, KeepAlive: 30 * time.Second,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("reading the address %s: %w", address, err)
			}
			return r.Check(at.Addr())
		},
	}
	return dialer.DialContext(ctx, network, address)
}
