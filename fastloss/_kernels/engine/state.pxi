# The numbers of a LossState.

cdef extern from "engine/state.h" nogil:
    enum:
        WEIGHT_SUM "FL_WEIGHT"
        TOTAL_SUM "FL_TOTAL"
        SQUARE_SUM "FL_SQUARE"
        FIRST_SUM "FL_FIRST"
        SECOND_SUM "FL_SECOND"
        STATE_SUMS "FL_SUMS"
    ctypedef struct State "fl_state":
        int64_t count
        int64_t ignored
        int64_t nonfinite
        double minimum
        double maximum
        double high[STATE_SUMS]
        double low[STATE_SUMS]
    State no_state "fl_no_state"()
    void add_pairs "fl_add_pairs"(const double* high, const double* low, const double* more, const double* more_low,
                                  double* to, double* to_low, Py_ssize_t n)
    void add_state "fl_add_state"(State* into, const State* more)
    double mean_of_state "fl_mean"(const State* state)
    double standard_error_of "fl_standard_error"(const State* state, bint plain)
    void add_losses_f32 "fl_add_losses_f32"(State* to, const double* weight, const float* loss, Py_ssize_t n)
    void add_losses_f64 "fl_add_losses_f64"(State* to, const double* weight, const double* loss, Py_ssize_t n)
