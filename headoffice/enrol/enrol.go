// Package enrol lets devices in: an administrator makes a one-time token, the
// device shows it with a certificate request and gets its identity.
//
// A token is used by one device key. The same key may ask again, because a
// reply can be lost and an approval by hand takes time; any other key is refused.
package enrol

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"branchbot/headoffice/access"
	"branchbot/headoffice/ca"
	"branchbot/headoffice/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Service makes tokens and answers enrolment requests.
type Service struct {
	Store       store.Store
	Authority   *ca.Authority
	StateKey    ed25519.PublicKey // verifies desired state and commands later
	AutoApprove bool
	Now         func() time.Time
}

// TokenOptions say how a token is made.
type TokenOptions struct {
	Count  int
	Valid  time.Duration
	ByHand bool   // the device waits until an administrator approves it
	Device string // to be enrolled again under its id, "" for a new device
	By     store.Actor
}

// NewToken is a token as it is printed, once.
type NewToken struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
	ByHand  bool      `json:"approve_by_hand"`
}

// NewTokens makes one-time tokens; only their hashes are kept.
func (s *Service) NewTokens(ctx context.Context, options TokenOptions) ([]NewToken, error) {
	now := s.Now().UTC()
	made := make([]NewToken, options.Count)
	kept := make([]store.Token, options.Count)
	for i := range made {
		secret := access.NewSecret()
		text, err := json.Marshal(wire.EnrolToken{Token: secret, CA: s.Authority.PEM()})
		if err != nil {
			return nil, fmt.Errorf("encode token: %w", err)
		}
		expires := now.Add(options.Valid).Truncate(time.Second)
		made[i] = NewToken{Token: base64.RawURLEncoding.EncodeToString(text), Expires: expires, ByHand: options.ByHand}
		kept[i] = store.Token{Hash: access.Hash(secret), Created: now, Expires: expires, ByHand: options.ByHand, Device: options.Device, By: options.By}
	}
	if err := s.Store.AddTokens(ctx, kept); err != nil {
		return nil, err
	}
	return made, nil
}

// maxText bounds what a device says about itself.
const maxText = 200

// Enrol answers a device. Codes: csr_invalid, token_unknown, token_used,
// token_expired, approval_waiting.
func (s *Service) Enrol(ctx context.Context, request wire.EnrolRequest) (wire.EnrolReply, error) {
	csr, err := ca.ParseRequest(request.CSR)
	if err != nil {
		return wire.EnrolReply{}, err
	}
	state := store.DeviceApproved
	if !s.AutoApprove {
		state = store.DeviceWaiting
	}
	device, err := s.Store.Claim(ctx, access.Hash(request.Token), store.Device{
		ID: wire.NewID(wire.DevicePrefix), State: state, Key: ca.KeyFingerprint(csr.RawSubjectPublicKeyInfo),
		Hostname: cut(request.Hostname), Version: cut(request.Version), Enrolled: s.Now(),
	})
	if err != nil {
		return wire.EnrolReply{}, err
	}
	if device.State == store.DeviceWaiting {
		return wire.EnrolReply{}, waiting(device.ID)
	}
	chain, err := s.certify(ctx, device.ID, csr.PublicKey)
	if err != nil {
		return wire.EnrolReply{}, err
	}
	return wire.EnrolReply{Device: device.ID, Certificate: chain, StateKey: base64.StdEncoding.EncodeToString(s.StateKey)}, nil
}

// certify signs a certificate and makes it the only one of its device.
func (s *Service) certify(ctx context.Context, device string, public any) (chain string, err error) {
	cert, chain, err := s.Authority.SignDevice(device, public, s.Now())
	if err != nil {
		return "", err
	}
	return chain, s.Store.Certify(ctx, device, store.Certificate{
		Fingerprint: ca.Fingerprint(cert), Serial: cert.SerialNumber.Text(16), Expires: cert.NotAfter,
	})
}

func waiting(device string) error {
	return fault.New(fault.Waiting, "approval_waiting", "device %s is enrolled and waits for an administrator's approval", device).Retry().
		WithHint("At head office: headoffice device approve %s. Then enrol again with the same token.", device).
		WithFact("device", device)
}

func cut(text string) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), maxText)])
}
