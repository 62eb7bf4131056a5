package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/words"
	"weir.dev/weir/pkg/workload"
)

func (c *cli) uninstall() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "uninstall --check",
		Short: "Say what would be left if Weir was removed now",
		Long: `Say what would be left if Weir was removed now, in all namespaces or in that of -n.

A Canary gives everything back when it is deleted, as long as the operator runs to do it. What is told here is what
nobody would give back any more. It changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !check {
				return errors.New("give --check; to remove Weir, delete its Canaries, wait until they are gone, and delete what you " +
					"installed it with")
			}
			k, err := c.connect()
			if err != nil {
				return err
			}
			return c.leftovers(cmd.Context(), k, *c.flags.Namespace)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "say it, and change nothing")
	return cmd
}

// leftovers tells all that is held by Weir.
func (c *cli) leftovers(ctx context.Context, k *cluster, namespace string) error {
	canaries, err := k.weir.WeirV1beta1().Canaries(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	targets, left := map[string]bool{}, int32(0)
	tell := func(namespace, kind, name, what string) {
		left++
		fmt.Fprintf(c.Out, "%s %s/%s: %s\n", kind, namespace, name, what)
	}
	for i := range canaries.Items {
		canary := &canaries.Items[i]
		targets[canary.Namespace+"/"+canary.Spec.TargetRef.Kind+"/"+canary.Spec.TargetRef.Name] = true
		what := "it holds " + words.TargetOf(canary)
		switch {
		case canary.DeletionTimestamp != nil:
			what = words.TargetOf(canary) + " is being given back; wait until the Canary is gone"
		case canary.Status.Run != nil:
			what += ", and a run is on"
		}
		tell(canary.Namespace, "Canary", canary.Name, what)
	}
	held, err := k.held(ctx, namespace)
	if err != nil {
		return err
	}
	for _, h := range held {
		if !targets[h.namespace+"/"+h.kind+"/"+h.name] {
			tell(h.namespace, h.kind, h.name, h.what)
		}
	}
	if left == 0 {
		fmt.Fprintln(c.Out, "nothing would be left")
		return nil
	}
	return end(exitError, "%s would be left; delete the Canaries while Weir runs, wait until they are gone, and look again",
		words.Count(left, "thing"))
}

// heldWorkload is one that a Canary has held, with what is to be done about it.
type heldWorkload struct{ namespace, kind, name, what string }

func (k *cluster) held(ctx context.Context, namespace string) ([]heldWorkload, error) {
	var all []heldWorkload
	apps := k.kube.AppsV1()
	deployments, err := apps.Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		if workload.AtRest(d) {
			all = append(all, heldWorkload{d.Namespace, "Deployment", d.Name, "its next template would pause it, by the " +
				"MutatingAdmissionPolicy weir-pause; delete that policy"})
		}
		if workload.PauseHeld(d) {
			all = append(all, heldWorkload{d.Namespace, "Deployment", d.Name, fmt.Sprintf("it is paused, because its template is not "+
				"what serves; apply the one that does, and `kubectl -n %s rollout resume deployment/%s`", d.Namespace, d.Name)})
		}
	}
	sets, err := apps.StatefulSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range sets.Items {
		if s := &sets.Items[i]; workload.PartitionHeld(s) {
			all = append(all, heldWorkload{s.Namespace, "StatefulSet", s.Name, "its partition keeps its template from its pods; apply " +
				"the template that serves, and set spec.updateStrategy.rollingUpdate.partition to 0"})
		}
	}
	daemons, err := apps.DaemonSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range daemons.Items {
		if d := &daemons.Items[i]; workload.DeletionHeld(d) {
			all = append(all, heldWorkload{d.Namespace, "DaemonSet", d.Name, "its update strategy keeps its template from its pods; " +
				"apply the template that serves, and set spec.updateStrategy.type to RollingUpdate"})
		}
	}
	return all, nil
}
