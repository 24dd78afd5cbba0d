package console

import (
	"context"
	"net/http"

	"branchbot/headoffice/access"
	"branchbot/headoffice/store"
)

// Devices lists the devices.
func (c *Console) Devices(w http.ResponseWriter, r *http.Request) {
	devices, err := c.devices(r.Context())
	if err != nil {
		c.failed(w, r, err)
		return
	}
	c.page(w, r, http.StatusOK, "devices", "console.devices", devices)
}

// DevicesLive streams the list.
func (c *Console) DevicesLive(w http.ResponseWriter, r *http.Request) {
	c.live(w, r, "device_list", c.devices)
}

// Device shows one device, with what an administrator can do about it. It does
// not update by itself: nothing moves under the button.
func (c *Console) Device(w http.ResponseWriter, r *http.Request) {
	device, err := c.store.Device(r.Context(), r.PathValue("device"))
	if err != nil {
		c.failed(w, r, err)
		return
	}
	epochs, err := c.store.Epochs(r.Context(), device.ID)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	c.page(w, r, http.StatusOK, "device", "console.device", devicePage{Device: device, Epochs: epochs})
}

type devicePage struct {
	store.Device
	Epochs []store.Epoch
}

// devicesPage is the list, and what befell head office itself.
type devicesPage struct {
	Devices  []store.Device
	Missing  int                 // records that neither side has any more
	Restored []store.Incarnation // the latest first
}

func (c *Console) devices(ctx context.Context) (any, error) {
	devices, err := c.store.Devices(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := c.store.Counts(ctx)
	if err != nil {
		return nil, err
	}
	lives, err := c.store.Incarnations(ctx)
	if err != nil {
		return nil, err
	}
	page := devicesPage{Devices: devices, Missing: counts.Missing}
	for _, life := range lives {
		if !life.Copied.IsZero() {
			page.Restored = append(page.Restored, life)
		}
	}
	return page, nil
}

// Approve lets a waiting device in.
func (c *Console) Approve(w http.ResponseWriter, r *http.Request) { c.decide(w, r, c.store.Approve) }

// Revoke ends a device's access at once.
func (c *Console) Revoke(w http.ResponseWriter, r *http.Request) { c.decide(w, r, c.store.Revoke) }

func (c *Console) decide(w http.ResponseWriter, r *http.Request, act func(ctx context.Context, id string, by store.Actor) error) {
	if err := act(r.Context(), r.PathValue("device"), access.From(r.Context()).Actor()); err != nil {
		c.failed(w, r, err)
		return
	}
	c.news.Tell()
	http.Redirect(w, r, "/devices", http.StatusSeeOther)
}
