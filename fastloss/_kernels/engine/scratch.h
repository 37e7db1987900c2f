// What a thread keeps of one block in first-level cache.

#ifndef FASTLOSS_SCRATCH_H
#define FASTLOSS_SCRATCH_H

#include "engine/streams.h"

// Elements of one block, at most: four float64 streams of it stay in a first-level cache, and the bursts of
// non-temporal stores are short enough for the reads of the next block to overlap them.
#define FL_BLOCK 512

// Streams are not a multiple of 4 KB apart, where a load would wait for an unrelated store.
#define FL_ROOM (FL_BLOCK + 24)

#define FL_LINES 6 // of outputs that are streamed

// A block of every stream a formula reads or writes, in the type it is computed in. `raw` holds the
// bytes of an operand that is strided, unaligned or byte-swapped before they are converted.
typedef struct {
    double y[FL_ROOM], x[FL_ROOM], z[FL_ROOM], weight[FL_ROOM];
    double value[FL_ROOM], grad[FL_ROOM], grad_z[FL_ROOM], hess[FL_ROOM], hess_z[FL_ROOM];
    double raw[FL_ROOM], total[FL_ROOM];
    fl_line lines[FL_LINES];
} __attribute__((aligned(64))) fl_scratch;

#endif
