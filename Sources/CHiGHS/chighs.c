#include "chighs.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct wb_highs {
    void *library;
    int (*int_size)(const void *);
    const char *(*version)(void);
    int (*version_major)(void);
    int (*version_minor)(void);
    void *(*create)(void);
    void (*destroy)(void *);
    int (*pass_mip)(void *, int, int, int, int, int, double, const double *, const double *, const double *,
                    const double *, const double *, const int *, const int *, const double *, const int *);
    int (*pass_hessian)(void *, int, int, int, const int *, const int *, const double *);
    int (*set_bool)(void *, const char *, int);
    int (*set_int)(void *, const char *, int);
    int (*set_double)(void *, const char *, double);
    int (*set_string)(void *, const char *, const char *);
    int (*set_solution)(void *, const double *, const double *, const double *, const double *);
    int (*change_col_costs)(void *, int, int, const double *);
    int (*change_col_bounds)(void *, int, int, const double *, const double *);
    int (*change_row_bounds)(void *, int, double, double);
    int (*run)(void *);
    int (*model_status)(const void *);
    int (*get_solution)(const void *, double *, double *, double *, double *);
    int (*int_info)(const void *, const char *, int *);
    int (*double_info)(const void *, const char *, double *);
    int (*write_model)(void *, const char *);
    int (*set_callback)(void *, wb_highs_callback, void *);
    int (*start_callback)(void *, int);
    const void *(*callback_item)(const void *, const char *);
};

wb_highs *wb_highs_open(const char *path, char *error, size_t error_size) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(error, error_size, "%s", dlerror());
        return NULL;
    }
    wb_highs *api = calloc(1, sizeof *api);
    if (!api) {
        snprintf(error, error_size, "out of memory");
        dlclose(library);
        return NULL;
    }
    api->library = library;
    const struct { const char *name; void **slot; } wanted[] = {
        {"Highs_getSizeofHighsInt", (void **)&api->int_size},
        {"Highs_version", (void **)&api->version},
        {"Highs_versionMajor", (void **)&api->version_major},
        {"Highs_versionMinor", (void **)&api->version_minor},
        {"Highs_create", (void **)&api->create},
        {"Highs_destroy", (void **)&api->destroy},
        {"Highs_passMip", (void **)&api->pass_mip},
        {"Highs_passHessian", (void **)&api->pass_hessian},
        {"Highs_setBoolOptionValue", (void **)&api->set_bool},
        {"Highs_setIntOptionValue", (void **)&api->set_int},
        {"Highs_setDoubleOptionValue", (void **)&api->set_double},
        {"Highs_setStringOptionValue", (void **)&api->set_string},
        {"Highs_setSolution", (void **)&api->set_solution},
        {"Highs_changeColsCostByRange", (void **)&api->change_col_costs},
        {"Highs_changeColsBoundsByRange", (void **)&api->change_col_bounds},
        {"Highs_changeRowBounds", (void **)&api->change_row_bounds},
        {"Highs_run", (void **)&api->run},
        {"Highs_getModelStatus", (void **)&api->model_status},
        {"Highs_getSolution", (void **)&api->get_solution},
        {"Highs_getIntInfoValue", (void **)&api->int_info},
        {"Highs_getDoubleInfoValue", (void **)&api->double_info},
        {"Highs_writeModel", (void **)&api->write_model},
        {"Highs_setCallback", (void **)&api->set_callback},
        {"Highs_startCallback", (void **)&api->start_callback},
        {"Highs_getCallbackDataOutItem", (void **)&api->callback_item},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        *wanted[i].slot = dlsym(library, wanted[i].name);
        if (!*wanted[i].slot) {
            snprintf(error, error_size, "function %s is missing (HiGHS older than 1.7?)", wanted[i].name);
            dlclose(library);
            free(api);
            return NULL;
        }
    }
    return api;
}

int wb_highs_int_size(const wb_highs *api) { return api->int_size(NULL); }
const char *wb_highs_version(const wb_highs *api) { return api->version(); }
int wb_highs_version_major(const wb_highs *api) { return api->version_major(); }
int wb_highs_version_minor(const wb_highs *api) { return api->version_minor(); }

void *wb_highs_create(const wb_highs *api) { return api->create(); }
void wb_highs_destroy(const wb_highs *api, void *model) { api->destroy(model); }

int wb_highs_pass_mip(const wb_highs *api, void *model, int cols, int rows, int nonzeros, int row_wise, double offset,
                      const double *cost, const double *col_lower, const double *col_upper, const double *row_lower,
                      const double *row_upper, const int *start, const int *index, const double *value,
                      const int *integrality) {
    return api->pass_mip(model, cols, rows, nonzeros, row_wise ? 2 : 1, 1, offset, cost, col_lower, col_upper,
                         row_lower, row_upper, start, index, value, integrality);
}

int wb_highs_pass_hessian(const wb_highs *api, void *model, int dim, int nonzeros, const int *start, const int *index,
                          const double *value) {
    return api->pass_hessian(model, dim, nonzeros, 1, start, index, value);
}

int wb_highs_set_bool(const wb_highs *api, void *model, const char *option, int value) {
    return api->set_bool(model, option, value);
}
int wb_highs_set_int(const wb_highs *api, void *model, const char *option, int value) {
    return api->set_int(model, option, value);
}
int wb_highs_set_double(const wb_highs *api, void *model, const char *option, double value) {
    return api->set_double(model, option, value);
}
int wb_highs_set_string(const wb_highs *api, void *model, const char *option, const char *value) {
    return api->set_string(model, option, value);
}
int wb_highs_set_solution(const wb_highs *api, void *model, const double *col_value) {
    return api->set_solution(model, col_value, NULL, NULL, NULL);
}
int wb_highs_change_col_costs(const wb_highs *api, void *model, int from, int to, const double *cost) {
    return api->change_col_costs(model, from, to, cost);
}
int wb_highs_change_col_bounds(const wb_highs *api, void *model, int from, int to, const double *lower,
                               const double *upper) {
    return api->change_col_bounds(model, from, to, lower, upper);
}
int wb_highs_change_row_bounds(const wb_highs *api, void *model, int row, double lower, double upper) {
    return api->change_row_bounds(model, row, lower, upper);
}
int wb_highs_run(const wb_highs *api, void *model) { return api->run(model); }
int wb_highs_model_status(const wb_highs *api, void *model) { return api->model_status(model); }
int wb_highs_get_solution(const wb_highs *api, void *model, double *col_value, double *col_dual, double *row_value,
                          double *row_dual) {
    return api->get_solution(model, col_value, col_dual, row_value, row_dual);
}
int wb_highs_int_info(const wb_highs *api, void *model, const char *name, int *value) {
    return api->int_info(model, name, value);
}
int wb_highs_double_info(const wb_highs *api, void *model, const char *name, double *value) {
    return api->double_info(model, name, value);
}
int wb_highs_write_model(const wb_highs *api, void *model, const char *path) { return api->write_model(model, path); }
int wb_highs_set_callback(const wb_highs *api, void *model, wb_highs_callback callback, void *user) {
    return api->set_callback(model, callback, user);
}
int wb_highs_start_callback(const wb_highs *api, void *model, int type) { return api->start_callback(model, type); }

double wb_highs_callback_double(const wb_highs *api, const void *data_out, const char *name) {
    const double *item = api->callback_item(data_out, name);
    return item ? *item : NAN;
}

void wb_highs_callback_interrupt(void *data_in) {
    if (data_in) *(int *)data_in = 1;
}
