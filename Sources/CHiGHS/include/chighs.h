/* HiGHS loaded at run time. Declares the part of the C interface that is used (HiGHS 1.10 and later, 32-bit HighsInt). */
#ifndef CHIGHS_H
#define CHIGHS_H

#include <stddef.h>
#include <stdint.h>

typedef struct wb_highs wb_highs;

/* Opens a shared library and resolves the functions. Returns NULL and a sentence in `error` if that fails. */
wb_highs *wb_highs_open(const char *path, char *error, size_t error_size);

/* First fields of the two callback structures; stable since HiGHS 1.7. */
typedef void (*wb_highs_callback)(int type, const char *message, const void *data_out, void *data_in, void *user);

int wb_highs_int_size(const wb_highs *api);
const char *wb_highs_version(const wb_highs *api);
int wb_highs_version_major(const wb_highs *api);
int wb_highs_version_minor(const wb_highs *api);

void *wb_highs_create(const wb_highs *api);
void wb_highs_destroy(const wb_highs *api, void *model);
int wb_highs_pass_mip(const wb_highs *api, void *model, int cols, int rows, int nonzeros, int row_wise, double offset,
                      const double *cost, const double *col_lower, const double *col_upper, const double *row_lower,
                      const double *row_upper, const int *start, const int *index, const double *value,
                      const int *integrality);
/* Quadratic part of the objective, 1/2 x'Qx, diagonal Q given as lower triangle by columns. */
int wb_highs_pass_hessian(const wb_highs *api, void *model, int dim, int nonzeros, const int *start, const int *index,
                          const double *value);
int wb_highs_set_bool(const wb_highs *api, void *model, const char *option, int value);
int wb_highs_set_int(const wb_highs *api, void *model, const char *option, int value);
int wb_highs_set_double(const wb_highs *api, void *model, const char *option, double value);
int wb_highs_set_string(const wb_highs *api, void *model, const char *option, const char *value);
int wb_highs_set_solution(const wb_highs *api, void *model, const double *col_value);
int wb_highs_change_col_costs(const wb_highs *api, void *model, int from, int to, const double *cost);
int wb_highs_change_col_bounds(const wb_highs *api, void *model, int from, int to, const double *lower,
                               const double *upper);
int wb_highs_change_row_bounds(const wb_highs *api, void *model, int row, double lower, double upper);
int wb_highs_run(const wb_highs *api, void *model);
int wb_highs_model_status(const wb_highs *api, void *model);
int wb_highs_get_solution(const wb_highs *api, void *model, double *col_value, double *col_dual, double *row_value,
                          double *row_dual);
int wb_highs_int_info(const wb_highs *api, void *model, const char *name, int *value);
int wb_highs_double_info(const wb_highs *api, void *model, const char *name, double *value);
int wb_highs_write_model(const wb_highs *api, void *model, const char *path);
int wb_highs_set_callback(const wb_highs *api, void *model, wb_highs_callback callback, void *user);
int wb_highs_start_callback(const wb_highs *api, void *model, int type);
/* A number out of a callback's data, by HiGHS' own name for it; NaN if this version does not know it. */
double wb_highs_callback_double(const wb_highs *api, const void *data_out, const char *name);
/* Asks HiGHS to stop as soon as it can. */
void wb_highs_callback_interrupt(void *data_in);

#endif
