package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// serveProfiles begins to serve the profiles of this process in the form of pprof, until the context ends; with no address
// it does nothing. Whoever reaches them sees how the operator works and can have it work harder, so they are on no port
// that serves anything else. The command line is left out: it may hold a secret.
func serveProfiles(ctx context.Context, address string, log *slog.Logger) error {
	if address == "" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("--pprof-address: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("profiles cannot be served", "error", err)
		}
	}()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	log.Info("profiles are served", "address", listener.Addr().String())
	return nil
}
