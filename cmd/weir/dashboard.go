package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/pflag"

	"weir.dev/weir/pkg/client/informers/externalversions"
	"weir.dev/weir/pkg/controller"
	"weir.dev/weir/pkg/page"
)

// dashboardOptions are the flags of the dashboard.
type dashboardOptions struct {
	on, commands, anonymous bool
	address                 string
	audiences               []string
}

func (o *dashboardOptions) bind(f *pflag.FlagSet) {
	f.BoolVar(&o.on, "dashboard", false, "serve a dashboard of all Canaries; who reads it has to log in")
	f.StringVar(&o.address, "dashboard-address", "127.0.0.1:8081",
		"address of the dashboard; on loopback, kubectl port-forward reaches it, and nobody else")
	f.BoolVar(&o.commands, "dashboard-commands", false, "let the dashboard give commands for those who may patch Canaries")
	f.BoolVar(&o.anonymous, "dashboard-anonymous-read", false, "let anybody read the dashboard who reaches it")
	f.StringSliceVar(&o.audiences, "dashboard-audience", nil,
		"audience that a token has to be for to log in; without it, the API server's own")
}

// serve begins to serve the dashboard, on every replica, whether it leads or not. It shares the Canaries' cache with
// the controller.
func (o *dashboardOptions) serve(
	ctx context.Context, clients controller.Clients, own externalversions.SharedInformerFactory, log *slog.Logger,
) error {
	if !o.on {
		if o.commands || o.anonymous {
			return errors.New("--dashboard-commands and --dashboard-anonymous-read go with --dashboard")
		}
		return nil
	}
	handler, err := page.New(page.Options{
		Canaries: own.Weir().V1beta1().Canaries().Informer(), Kube: clients.Kube, Weir: clients.Weir,
		AnonymousRead: o.anonymous, Commands: o.commands, Audiences: o.audiences, Log: log, Now: time.Now,
	})
	if err != nil {
		return fmt.Errorf("preparing the dashboard: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.address)
	if err != nil {
		return fmt.Errorf("--dashboard-address: %w", err)
	}
	own.Start(ctx.Done())
	// Pages are kept up to date by answers that do not end. With the context they do.
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the dashboard cannot be served", "error", err)
		}
	}()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	log.Info("the dashboard is served", "address", listener.Addr().String())
	return nil
}
