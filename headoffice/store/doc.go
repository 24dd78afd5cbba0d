// Package store says what head office keeps, and in which steps. An
// implementation (package sqlite; PostgreSQL can follow) runs the shared suite
// in storetest.
//
// What must always hold:
//   - a record is acknowledged only after its transaction is on disk;
//   - the sequence of a device's epoch has no gap and never changes: inbox row
//     and read model are written in one transaction (Place decides);
//   - a secret is stored as a hash only, a private key only sealed.
package store
